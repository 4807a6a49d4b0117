import { connect } from 'node:net';
import perfHooks from 'node:perf_hooks';
import v8 from 'node:v8';
import { json, ScriptedUpstream } from '../support/upstream.js';
import { addUpstream, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';
import { completion } from './support/long-work.js';
import { CALLS, SURFACES, type SurfaceRow, send } from './support/surfaces.js';

jest.setTimeout(60_000);

const MAX_CALLS = 60;
const MAX_DELAY_MS = 250;

/** How late the event loop seems to be. */
let delayMs = 0;
/** How much of the heap seems to be used. */
let heapPart = 0.5;
let weir: TestWeir;
let upstream: ScriptedUpstream;
let loud: TestTenant;
let quiet: TestTenant;
/** Ends the calls that the provider keeps open. */
let answers: (() => void)[] = [];

beforeAll(async () => {
  const monitor = perfHooks.monitorEventLoopDelay;
  jest
    .spyOn(perfHooks, 'monitorEventLoopDelay')
    .mockImplementation((options) => Object.defineProperty(monitor(options), 'mean', { get: () => delayMs * 1e6 }));
  const heap = v8.getHeapStatistics();
  jest.spyOn(v8, 'getHeapStatistics').mockImplementation(() => ({ ...heap, used_heap_size: heapPart * heap.heap_size_limit }));
  upstream = await ScriptedUpstream.start();
  upstream.script = (call, response) =>
    new Promise<void>((resolve) => {
      answers.push(() => {
        void json(200, completion({ content: 'Hi' }))(call, response);
        resolve();
      });
    });
  weir = await startTestWeir({
    WEIR_EGRESS_ALLOW: upstream.hostPort,
    WEIR_MAX_CALLS: String(MAX_CALLS),
    WEIR_MAX_LOOP_DELAY_MS: String(MAX_DELAY_MS),
  });
  loud = await createTenant(weir);
  quiet = await createTenant(weir);
  for (const tenant of [loud, quiet]) await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await addUpstream(loud, upstream.baseUrl);
  await eventually(async () => (await call(loud)).status === 200 && (await call(quiet)).status === 200);
});

afterAll(async () => {
  await weir.stop();
  await upstream.stop();
  jest.restoreAllMocks();
});

const to = ({ apiKey }: TestTenant) => ({ publicUrl: weir.publicUrl, apiKey });
const CHAT = CALLS.find(({ path }) => path === '/v1/chat/completions')!;
const call = (tenant: TestTenant, row: SurfaceRow = CHAT, model = 'mock/echo') => send(to(tenant), row, row.body(model));
const figure = async (line: string): Promise<number> => {
  const text = await (await fetch(`${weir.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${line.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
};

/** Calls of the loud tenant that stay open. */
async function occupy(count: number): Promise<() => Promise<void>> {
  const open = Array.from({ length: count }, () => call(loud, CHAT, 'up/test-model'));
  await eventually(async () => answers.length === count, 20_000);
  return async () => {
    for (const answer of answers) answer();
    answers = [];
    for (const { status } of await Promise.all(open)) expect(status).toBe(200);
  };
}

/** What the loud tenant is told at a route, before its body is read. */
async function refusal(row: SurfaceRow): Promise<Response> {
  const response = await call(loud, row);
  expect([503, 529]).toContain(response.status);
  expect([response.headers.get('retry-after'), response.headers.get('x-should-retry')]).toEqual(['1', 'true']);
  return response;
}

describe('a process with as many requests as it may have', () => {
  test('refuses the tenant with most of them at every route, in the form of its format, and serves the others', async () => {
    const end = await occupy(MAX_CALLS);
    const shed = await figure('weir_calls_shed_total{reason="calls"}');
    for (const row of SURFACES) {
      const text = await (await refusal(row)).text();
      expect(JSON.parse(text)).toMatchObject(
        row.path.startsWith('/v1/messages') ? { type: 'error', error: { type: 'overloaded_error' } } : { error: { code: 'overloaded' } },
      );
    }
    expect((await figure('weir_calls_shed_total{reason="calls"}')) - shed).toBe(SURFACES.length);
    const replies = await Promise.all(Array.from({ length: MAX_CALLS / 2 }, () => call(quiet)));
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    await end();
    expect((await call(loud)).status).toBe(200);
  });

  test('answers without reading a body, and never refuses a probe, an admin or a stranger for it', async () => {
    const end = await occupy(MAX_CALLS);
    const { hostname, port } = new URL(weir.publicUrl);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer ${loud.apiKey}\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n`,
    );
    const head = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.destroy();
    expect(head).toMatch(/^HTTP\/1\.1 503 /);
    const statuses = await Promise.all(
      [`${weir.publicUrl}/livez`, `${weir.publicUrl}/readyz`, `${weir.adminUrl}/livez`, `${weir.adminUrl}/readyz`].map(
        async (url) => (await fetch(url)).status,
      ),
    );
    expect(statuses).toEqual([200, 200, 200, 200]);
    await loud.admin('GET', '/v1/organization/projects');
    expect((await send({ publicUrl: weir.publicUrl, apiKey: 'weir_none' }, CHAT, {})).status).toBe(401);
    await end();
  });
});

const STRAINS: [string, string, (isOver: boolean) => void][] = [
  ['the event loop is late', 'event_loop', (isOver) => (delayMs = isOver ? 0 : 2 * MAX_DELAY_MS)],
  ['the memory is nearly full', 'heap', (isOver) => (heapPart = isOver ? 0.5 : 0.95)],
];

test.each(STRAINS)('while %s, the tenant with most calls is refused; once that is over, nobody is', async (_, reason, strain) => {
  const end = await occupy(MAX_CALLS - 1);
  expect((await call(loud)).status).toBe(200);
  strain(false);
  await eventually(async () => (await figure('weir_calls_limit')) < MAX_CALLS);
  await refusal(CHAT);
  const replies = await Promise.all(Array.from({ length: 20 }, () => call(quiet)));
  expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
  expect(await figure(`weir_calls_shed_total{reason="${reason}"}`)).toBe(1);
  strain(true);
  await eventually(async () => (await figure('weir_calls_limit')) === MAX_CALLS);
  expect((await call(loud)).status).toBe(200);
  await end();
});
