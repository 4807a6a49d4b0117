import { brokenInvariants } from '../../support/ledger.js';
import { REPLY_FORMATS, type ReplyFormat, type Said } from '../../support/tool-replies.js';
import { ScriptedUpstream } from '../../support/upstream.js';
import { booked, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { CLIENTS, NAME, SKIES } from './clients.js';

jest.setTimeout(60_000);

const THOUGHT = 'Two cities, two calls.';
/** As long as real ones, with all that base64 has. */
const STATE = `${'Ab+/9'.repeat(60)}==`;
const CALLS = Object.keys(SKIES).map((city, index) => ({ id: `call_${index}_x`, name: NAME, arguments: { city } }));
const RESULTS = CALLS.map(({ id, arguments: { city } }) => ({ id, text: SKIES[city] }));
const FIRST: Said = {
  reasoning: { text: THOUGHT, state: STATE },
  text: 'Let me look.',
  calls: CALLS,
  usage: { input: 101, cacheRead: 0, output: 37 },
};
const LAST: Said = { text: 'Bern is sunny, Basel is not.', usage: { input: 53, cacheRead: 90, output: 11 } };

let upstream: ScriptedUpstream;
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
  tenant = await createTenant(weir);
  for (const [name, { type, dialect }] of Object.entries(REPLY_FORMATS)) {
    const base_url = `http://${upstream.hostPort}`;
    await tenant.admin('POST', '/v1/organization/providers', { name, type, dialect, base_url, key: 'secret', models: ['*'] });
    await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2', cache_read: '0.1' });
  }
  const isKnown = () =>
    tenant.openai.models.retrieve(`${Object.keys(REPLY_FORMATS).at(-1)}/m`).then(
      () => true,
      () => false,
    );
  await eventually(isKnown);
});

afterAll(async () => {
  expect(await brokenInvariants(weir.db)).toEqual([]);
  await weir.stop();
  await upstream.stop();
});

describe.each(Object.entries(REPLY_FORMATS))('against a provider that speaks %s', (name, format: ReplyFormat) => {
  test.each(CLIENTS.map((client) => [client.name, client] as const))('%s', async (_name, client) => {
    upstream.calls.length = 0;
    upstream.script = (call, response) => format.says(upstream.calls.length === 1 ? FIRST : LAST)(call, response);
    const before = (await booked(weir, tenant)).length;

    expect(await client.talk({ url: weir.publicUrl, key: tenant.apiKey, model: `${name}/${format.model}` })).toBe(LAST.text);

    expect(upstream.calls).toHaveLength(2);
    const heard = format.hears(upstream.calls[1]!.body);
    expect(heard).toMatchObject({ calls: CALLS, results: RESULTS });
    // Also where the client drops it, as `runTools`, `ai` and LangChain do over chat.
    const states = name === 'gemini' ? [STATE] : format.stateful ? [`${THOUGHT}|${STATE}`] : [];
    expect(heard.states).toEqual(states);
    expect(heard.order).toEqual([...states.map(() => 'state'), 'call', 'call', 'result', 'result']);

    const calls = (await booked(weir, tenant)).slice(before);
    expect(calls).toMatchObject(
      [FIRST, LAST].map(({ usage: { input, cacheRead, output } }) => ({
        status: 'completed',
        estimated: false,
        input,
        cache_read: cacheRead,
        output,
        amount: BigInt(input * 1_000 + cacheRead * 100 + output * 2_000),
      })),
    );
  });
});
