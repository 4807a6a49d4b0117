import type { ServerResponse } from 'node:http';
import { chunk, delta, type Script, type UpstreamCall } from '../support/upstream.js';
import { admin, booked, createTenant, eventually, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

/** What the provider bills for every call: eight thousand of the tokens are never shown. */
const BILLED = { prompt_tokens: 20, completion_tokens: 8_012, total_tokens: 8_032, completion_tokens_details: { reasoning_tokens: 8_000 } };
const COST = 20n * 1_000n + 8_012n * 2_000n;
const REQUEST = { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 10_000 };
/** The most it could cost: nothing of it is hidden. */
const HELD = 20_000_000n;

const { weir, upstream } = withWeir({ environment: { WEIR_PROGRESS_TIMEOUT_MS: '2000' }, tenant: 'none' });
let tenant: TestTenant;

beforeEach(async () => {
  upstream.calls.length = 0;
  tenant = await newTenant();
});

/** Of two providers that are the same server, one of which stops when its client leaves. */
async function newTenant(): Promise<TestTenant> {
  const made = await createTenant(weir);
  for (const [name, more] of [
    ['drains', {}],
    ['cancels', { on_client_gone: 'cancel' }],
  ] as const) {
    await made.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
    await made.admin('POST', '/v1/organization/providers', {
      name,
      type: 'openai',
      base_url: upstream.baseUrl,
      key: 'sk-x',
      models: ['m'],
      ...more,
    });
  }
  await eventually(async () => (await made.openai.models.list()).data.length === 2);
  return made;
}

/** Lets a test say when the provider goes on. */
function gate(): { open(): void; opened: Promise<void> } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

/** Shows two words, thinks until it is let on, and ends its answer; it bills all of it, whoever is there. */
const thinks =
  (until: Promise<void>): Script =>
  async (call, response) => {
    if (!call.body.stream) {
      await until;
      const message = { role: 'assistant', content: 'Hello there' };
      response.writeHead(200, { 'content-type': 'application/json' });
      return void response.end(
        JSON.stringify({ id: 'c', model: 'm', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: BILLED }),
      );
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: 'Hello ' }));
    response.write(delta({ content: 'there' }));
    await until;
    finish(response);
  };

function finish(response: ServerResponse): void {
  response.write(delta({}, 'stop'));
  response.write(chunk({ choices: [], usage: BILLED }));
  response.end('data: [DONE]\n\n');
}

/** Calls, and leaves: a stream once it has begun, a whole call once it is with the provider. */
async function callAndLeave(caller: TestTenant, model: string, stream: boolean, more: object = {}): Promise<void> {
  const leaving = new AbortController();
  const before = upstream.calls.length;
  const reply = fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${caller.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...REQUEST, model, stream, ...more }),
    signal: leaving.signal,
  });
  reply.catch(() => {});
  if (stream) await (await reply).body!.getReader().read();
  else await upstream.received(before + 1);
  leaving.abort();
}

const usage = async (of: TestTenant) => (await booked(weir, of)).filter(({ kind }) => kind === 'usage' || kind === null);
const bookedCalls = async (of: TestTenant, count: number) => {
  await eventually(async () => (await usage(of)).length === count, 10_000);
  return usage(of);
};

test.each([true, false])('a provider that goes on is read on for what it bills (stream: %s)', async (stream) => {
  const thinking = gate();
  upstream.script = thinks(thinking.opened);
  for (let call = 0; call < 4; call++) await callAndLeave(tenant, 'drains/m', stream);
  // Each is there until it is booked: the hold is open.
  expect((await usage(tenant)).length).toBe(0);
  thinking.open();
  const calls = await bookedCalls(tenant, 4);
  for (const call of calls)
    expect(call).toMatchObject({ status: 'cut', error_code: 'client_gone', estimated: false, amount: COST, output: 8_012 });
});

test('a drain keeps its slot of a concurrency limit until it ends', async () => {
  await tenant.admin('POST', '/v1/organization/rate_limits', { scope: { kind: 'tenant' }, max_concurrent_requests: 1 });
  const thinking = gate();
  upstream.script = thinks(thinking.opened);
  await callAndLeave(tenant, 'drains/m', true);
  // Time enough for a call that was given up to give its slot back.
  for (let attempt = 0; attempt < 30; attempt++)
    await expect(tenant.openai.chat.completions.create({ ...REQUEST, model: 'drains/m' } as never)).rejects.toMatchObject({ status: 429 });
  expect(upstream.calls.length).toBe(1);
  thinking.open();
  await eventually(async () => (await usage(tenant)).length > 0);
  await tenant.openai.chat.completions.create({ ...REQUEST, model: 'drains/m' } as never);
});

test('a tenant over its share is booked for its holds, and another is drained all the same', async () => {
  const thinking = gate();
  upstream.script = thinks(thinking.opened);
  for (let call = 0; call < 6; call++) await callAndLeave(tenant, 'drains/m', true);
  // Two of the six are booked at once.
  const early = await bookedCalls(tenant, 2);
  for (const call of early) expect(call).toMatchObject({ estimated: true, output: 10_000 });
  for (const call of early) expect(call.amount).toBeGreaterThanOrEqual(HELD);
  const other = await newTenant();
  await callAndLeave(other, 'drains/m', true);
  thinking.open();
  expect(await bookedCalls(other, 1)).toMatchObject([{ estimated: false, amount: COST }]);
  expect((await bookedCalls(tenant, 6)).filter(({ estimated }) => !estimated)).toHaveLength(4);
});

test('nine tenants share all drains: the one that has most gives way', async () => {
  const thinking = gate();
  upstream.script = thinks(thinking.opened);
  const crowd = await Promise.all(Array.from({ length: 8 }, newTenant));
  for (const one of crowd) for (let call = 0; call < 4; call++) await callAndLeave(one, 'drains/m', true);
  await callAndLeave(tenant, 'drains/m', true);
  const gaveWay = await Promise.all(crowd.map(async (one) => (await usage(one)).length));
  await eventually(async () => (await Promise.all(crowd.map((one) => usage(one)))).flat().length === 1, 10_000);
  expect(gaveWay.length).toBe(8);
  thinking.open();
  expect(await bookedCalls(tenant, 1)).toMatchObject([{ estimated: false, amount: COST }]);
  for (const one of crowd) await bookedCalls(one, 4);
});

test('a provider that stops when its client leaves is cut off at once, and what it may have hidden is booked: the hold', async () => {
  upstream.script = thinks(new Promise(() => {}));
  await callAndLeave(tenant, 'cancels/m', true);
  expect(await upstream.calls[0]!.closed).toBe(true);
  const [call] = await bookedCalls(tenant, 1);
  expect(call).toMatchObject({ status: 'cut', estimated: true });
  expect(call!.amount).toBeGreaterThanOrEqual(COST);
});

test('once 50 answers are known, what is hidden is booked by them', async () => {
  upstream.script = thinks(Promise.resolve());
  for (let call = 0; call < 50; call++) await tenant.openai.chat.completions.create({ ...REQUEST, model: 'cancels/m' } as never);
  upstream.script = thinks(new Promise(() => {}));
  await callAndLeave(tenant, 'cancels/m', true);
  const call = (await bookedCalls(tenant, 51)).at(-1)!;
  expect(call).toMatchObject({ status: 'cut', estimated: true });
  expect([call.output >= 8_000, call.amount! <= HELD + 1_000_000n]).toEqual([true, true]);
});

test('a provider that breaks off a drain is booked for the hold', async () => {
  upstream.script = async (_call: UpstreamCall, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: 'Hello' }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    response.socket?.resetAndDestroy();
  };
  await callAndLeave(tenant, 'drains/m', true);
  for (const call of await bookedCalls(tenant, 1)) {
    expect(call).toMatchObject({ status: 'cut', estimated: true });
    expect(call.amount).toBeGreaterThanOrEqual(COST);
  }
});

test('input that Weir cannot see is booked as the hold', async () => {
  upstream.script = thinks(new Promise(() => {}));
  const content = [{ type: 'image_url', image_url: { url: 'https://example.com/large.png' } }];
  await callAndLeave(tenant, 'cancels/m', false, { messages: [{ role: 'user', content }], max_tokens: 16 });
  const [call] = await bookedCalls(tenant, 1);
  expect(call!.estimated).toBe(true);
  // Behind an address may be anything, so it is counted as what is dearest: all of the input together.
  const { usage: counted } = await tenant.admin<{ usage: { input_tokens: number } }>('GET', `/v1/organization/calls/${call!.id}`);
  expect(counted.input_tokens).toBeGreaterThan(100);
});

test('what the provider refuses after its client left is free', async () => {
  const thinking = gate();
  upstream.script = async (_call, response) => {
    await thinking.opened;
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end('{"error":{"message":"no"}}');
  };
  await callAndLeave(tenant, 'drains/m', false);
  thinking.open();
  expect(await bookedCalls(tenant, 1)).toMatchObject([{ status: 'failed', amount: null, kind: null }]);
});

test('drains and estimates are counted, by how and why', async () => {
  const metrics = await (await fetch(`${weir.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/weir_drains_total\{result="finished"\} [1-9]/);
  expect(metrics).toMatch(/weir_drains_total\{result="refused"\} [1-9]/);
  expect(metrics).toMatch(/weir_drains_total\{result="gave_way"\} [1-9]/);
  expect(metrics).toMatch(/weir_estimated_calls_total\{reason="client_left",basis="hold"\} [1-9]/);
  expect(metrics).toMatch(/weir_estimated_calls_total\{reason="client_left",basis="share"\} [1-9]/);
  expect(metrics).toMatch(/weir_drains_running 0/);
});

test('a setting of a record can be changed, and is shown', async () => {
  const created = await admin<{ id: string; on_client_gone: string | null }>(weir, tenant.adminKey, 'POST', '/v1/organization/providers', {
    name: 'p',
    type: 'openai',
    base_url: upstream.baseUrl,
    key: 'sk-x',
  });
  expect(created.on_client_gone).toBeNull();
  const path = `/v1/organization/providers/${created.id}`;
  expect(await tenant.admin('POST', path, { on_client_gone: 'cancel' })).toMatchObject({ on_client_gone: 'cancel' });
  await expect(tenant.admin('POST', path, { on_client_gone: 'never' })).rejects.toThrow('400');
});
