import { brokenInvariants } from '../support/ledger.js';
import { Random, sizeOf } from '../support/random.js';
import { answer, delta, hang, json, type Script, ScriptedUpstream, stream } from '../support/upstream.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';

/** By hand: ten minutes. */
const SECONDS = sizeOf('FALLBACK_SECONDS', 6);
const CLIENTS = sizeOf('FALLBACK_CLIENTS', 8);
/** Of all attempts. */
const FAULTY = 0.2;
const DEADLINE_MS = 10_000;
/** What a busy machine may add to a deadline. */
const LATE_MS = 2_000;
/** Of a short run a share says little. */
const FEW = 4;
const NAMES = ['a', 'b', 'c'] as const;

/** What can happen to an attempt before there is anything of its answer. */
const FAULTS: readonly Script[] = [
  json(429, { error: { message: 'slow down' } }, { 'retry-after-ms': '40' }),
  json(429, { error: { message: 'slow down' } }),
  json(500, { error: { message: 'oops' } }),
  json(502, '<html>bad gateway</html>'),
  json(503, { error: { message: 'down' } }, { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }),
  json(529, { error: { message: 'overloaded' } }),
  json(200, '{"choices": ['),
  (_, response) => void response.socket?.destroy(),
  hang,
  stream([`data: ${JSON.stringify({ error: { message: 'overloaded', type: 'server_error' } })}\n\n`]),
  stream([]),
  stream([delta({ role: 'assistant', content: '' })], 'reset'),
];

let upstreams: ScriptedUpstream[];
let weir: TestWeir;
let tenant: TestTenant;

jest.setTimeout(90_000 + SECONDS * 1_500);

beforeAll(async () => {
  upstreams = await Promise.all(NAMES.map(() => ScriptedUpstream.start()));
  weir = await startTestWeir({
    WEIR_EGRESS_ALLOW: upstreams.map(({ hostPort }) => hostPort).join(','),
    WEIR_FIRST_BYTE_TIMEOUT_MS: '1000',
    WEIR_RETRIES: '2',
  });
  tenant = await createTenant(weir);
  for (const [at, name] of NAMES.entries()) {
    await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
    await tenant.admin('POST', '/v1/organization/providers', {
      type: 'openai',
      name,
      base_url: `http://${upstreams[at]!.hostPort}`,
      models: ['test-model'],
      key: `sk-key-of-provider-${name}`,
    });
  }
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '100000', period: 'lifetime' });
  await tenant.admin('POST', '/v1/organization/routes', {
    name: 'smart',
    match: { kind: 'exact', value: 'smart' },
    targets: NAMES.map((name) => ({ model: `${name}/test-model` })),
    attempts: 9,
    deadline_ms: DEADLINE_MS,
  });
  await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === 'smart'));
});

afterAll(async () => {
  await weir?.stop();
  for (const upstream of upstreams ?? []) await upstream.stop();
});

interface Seen {
  isWhole: boolean;
  ms: number;
  text: string;
}

async function call(isStream: boolean): Promise<Seen> {
  const startedAt = performance.now();
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'smart', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, stream: isStream }),
  });
  const text = await response.text();
  const isWhole = response.status === 200 && (isStream ? text.includes('data: [DONE]') : text.includes('"finish_reason":"stop"'));
  return { isWhole, ms: performance.now() - startedAt, text };
}

test(`${SECONDS} s with ${FAULTY * 100} % of the attempts faulty before their answer: calls succeed, each attempt is recorded, none is charged twice`, async () => {
  const random = Random.ofRun('fallbacks');
  for (const [at, upstream] of upstreams.entries()) {
    const own = random.branch(at);
    const whole = answer('It works');
    upstream.script = (seen, response) => (own.chance(FAULTY) ? own.pick(FAULTS) : whole)(seen, response);
  }
  const seen: Seen[] = [];
  const until = performance.now() + SECONDS * 1_000;
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      const own = random.branch(1_000 + client);
      while (performance.now() < until) seen.push(await call(own.chance(0.5)));
    }),
  );
  const failed = seen.filter(({ isWhole }) => !isWhole);
  const latencies = seen.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number) => Math.round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]!);

  const counts = async () =>
    (
      await weir.db.query<{ calls: number; attempts: number; open: number }>(
        `SELECT count(*)::int AS calls, coalesce(sum(jsonb_array_length(attempts)), 0)::int AS attempts,
           (SELECT count(*)::int FROM holds WHERE state = 'open') AS open FROM calls`,
      )
    ).rows[0]!;
  await eventually(async () => (await counts()).open === 0, 30_000);
  const { calls, attempts } = await counts();
  const requests = upstreams.reduce((sum, upstream) => sum + upstream.calls.length, 0);
  process.stderr.write(
    `fallbacks: ${seen.length} calls, ${failed.length} failed, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${(attempts / calls).toFixed(2)} attempts a call\n`,
  );
  for (const { text } of failed) process.stderr.write(`fallbacks: ${text.slice(0, 600)}\n`);
  expect(failed.length).toBeLessThanOrEqual(Math.max(FEW, Math.floor(seen.length * 0.005)));
  expect(latencies.at(-1)!).toBeLessThan(DEADLINE_MS + LATE_MS);
  expect(calls).toBe(seen.length);
  expect(attempts).toBe(requests);
  const { rows: doubles } = await weir.db.query(
    `SELECT call_id, attempt FROM ledger_entries WHERE kind = 'usage' GROUP BY 1, 2 HAVING count(*) > 1`,
  );
  expect(doubles).toEqual([]);
  expect(await brokenInvariants(weir.db)).toEqual([]);
});
