import { chunk, delta, json, type Script } from '../support/upstream.js';
import { booked, eventually } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

const USAGE = { prompt_tokens: 20, completion_tokens: 2_000, total_tokens: 2_020 };
const COST = 20n * 1_000n + 2_000n * 2_000n;
const REQUEST = { model: 'up/m', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4_000 };
/** The output alone. */
const HELD = 8_000_000n;

const { weir, tenant, upstream } = withWeir({
  environment: { WEIR_FIRST_BYTE_TIMEOUT_MS: '300', WEIR_PROGRESS_TIMEOUT_MS: '300' },
  tenant: 'each',
});

beforeEach(async () => {
  await provider('up');
});

async function provider(name: string, more: object = {}): Promise<void> {
  await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
  await tenant.admin('POST', '/v1/organization/providers', {
    name,
    type: 'openai',
    base_url: upstream.baseUrl,
    key: 'sk-x',
    models: ['m'],
    ...more,
  });
  await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === `${name}/m`));
}

const post = (body: object): Promise<Response> =>
  fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const bookedCalls = async (count: number) => {
  const usage = async () => (await booked(weir, tenant)).filter(({ kind }) => kind !== 'overrun');
  await eventually(async () => (await usage()).length === count, 10_000);
  return usage();
};

/** Answers long after its time, and bills it. */
const late =
  (answer: Promise<void>): Script =>
  async (call, response) => {
    await answer;
    call.billed = USAGE;
    const message = { role: 'assistant', content: 'Hello' };
    if (!call.body.stream)
      return json(200, { id: 'c', model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: USAGE })(call, response);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`${delta(message) + delta({}, 'stop') + chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
  };

test.each([false, true])('an answer whose head comes too late is 504 at once, and booked as it is billed (stream: %s)', async (stream) => {
  let answer!: () => void;
  upstream.script = late(new Promise((resolve) => (answer = resolve)));
  const reply = await post({ ...REQUEST, stream });
  expect([reply.status, await reply.json()]).toMatchObject([504, { error: { code: 'upstream_timeout' } }]);
  expect(await booked(weir, tenant)).toEqual([]);
  answer();
  expect(await bookedCalls(1)).toMatchObject([
    { status: 'cut', http_status: 504, error_code: 'upstream_timeout', estimated: false, amount: COST },
  ]);
});

test('late answers count against a cap before the next call is held', async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.02', period: 'month' });
  let answer!: () => void;
  upstream.script = late(new Promise((resolve) => (answer = resolve)));
  const statuses: number[] = [];
  for (let call = 0; call < 5; call++) statuses.push((await post(REQUEST)).status);
  // Two holds of $0.008 and more fit: they stay until it is known what was billed.
  expect(statuses.filter((status) => status === 504)).toHaveLength(2);
  answer();
  const calls = await bookedCalls(2);
  expect(calls.reduce((sum, { amount }) => sum + amount!, 0n)).toBe(2n * COST);
});

test('a provider that stops when it is left is booked for the hold: it may have worked until then', async () => {
  await provider('stops', { on_client_gone: 'cancel' });
  upstream.script = late(new Promise(() => {}));
  const reply = await post({ ...REQUEST, model: 'stops/m', stream: true });
  expect(reply.status).toBe(504);
  const [call] = await bookedCalls(1);
  expect(call).toMatchObject({ status: 'cut', estimated: true });
  expect(call!.amount).toBeGreaterThanOrEqual(HELD);
});

test('a connection that breaks after the request was sent is booked; one that never came about is not', async () => {
  upstream.script = (_call, response) => void response.socket?.resetAndDestroy();
  expect((await post(REQUEST)).status).toBe(502);
  const [call] = await bookedCalls(1);
  expect(call).toMatchObject({ status: 'cut', error_code: 'upstream_unreachable', estimated: true });
  expect(call!.amount).toBeGreaterThanOrEqual(HELD);
});

test('a stream that stalls is an error at once, and booked as it is billed when it goes on', async () => {
  let answer!: () => void;
  const going = new Promise<void>((resolve) => (answer = resolve));
  upstream.script = async (_call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: 'Hello' }));
    await going;
    response.end(`${delta({}, 'stop') + chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
  };
  const reply = await post({ ...REQUEST, stream: true });
  expect(await reply.text()).toContain('upstream_interrupted');
  answer();
  expect(await bookedCalls(1)).toMatchObject([{ status: 'cut', error_code: 'upstream_interrupted', estimated: false, amount: COST }]);
});
