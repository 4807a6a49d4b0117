import { formatRig } from '../../support/format-rig.js';
import { REPLY_FORMATS, type ReplyFormat, type Said } from '../../support/tool-replies.js';
import { booked } from '../../support/weir.js';
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

const rig = formatRig();

describe.each(Object.entries(REPLY_FORMATS))('against a provider that speaks %s', (name, format: ReplyFormat) => {
  test.each(CLIENTS.map((client) => [client.name, client] as const))('%s', async (_name, client) => {
    const { upstream, weir, tenant } = rig;
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
