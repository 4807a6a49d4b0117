import type { Json } from './client.js';
import { EXIT, Failure } from './failure.js';
import { printList } from './output.js';
import type { Session } from './session.js';

interface DoctorOptions {
  readonly config?: boolean;
  readonly envFile?: string;
}

interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'bad' | 'unknown';
  readonly found: string;
  /** What to do; empty when nothing is. */
  readonly todo: string;
}

const MAX_CLOCK_SECONDS = 5;
const MAX_CONFIG_AGE_SECONDS = 15;
const MAX_WAITING_JOBS = 10;
const MAX_JOB_AGE_SECONDS = 7_200;
const PARTS: Readonly<Record<string, string>> = {
  database: 'look whether Postgres runs and DATABASE_URL is right: docs/operations/postgres.md',
  queues: 'look whether Redis runs and REDIS_URL is right; without Redis, whether Postgres is overloaded',
};

const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found, todo: '' });
const bad = (check: string, found: string, todo: string): Finding => ({ check, state: 'bad', found, todo });
const warning = (check: string, found: string, todo: string): Finding => ({ check, state: 'warning', found, todo });
const unknown = (check: string, found: string, todo: string): Finding => ({ check, state: 'unknown', found, todo });

/** Prints what each check found. @throws Failure when something is bad. */
export async function diagnose(session: Session, version: string, options: DoctorOptions): Promise<void> {
  const findings = [
    ...(options.config || options.envFile ? await ofConfiguration(session, options.envFile) : []),
    ...(await ofServer(session, version)),
  ];
  printList(findings as unknown as Json[], ['state', 'check', 'found', 'todo'], session.form);
  const count = findings.filter(({ state }) => state === 'bad').length;
  if (count > 0) throw new Failure(count === 1 ? 'one check is bad' : `${count} checks are bad`, EXIT.error);
}

/** What the next start would read here. */
async function ofConfiguration({ env }: Session, envFile: string | undefined): Promise<Finding[]> {
  const { readConfig } = await import('../platform/config/index.js');
  try {
    const config = readConfig(env, process.cwd(), envFile);
    const isEmbedded = config.databaseUrl === null;
    return [
      ok('configuration', 'every variable can be read'),
      ...config.warnings.map((text) => warning('configuration', text, 'correct the variable, or take it away')),
      config.masterKey !== null || isEmbedded
        ? ok('master key', config.masterKey !== null ? 'WEIR_MASTER_KEY is set' : 'kept beside the embedded Postgres')
        : bad('master key', 'WEIR_MASTER_KEY is not set', 'set it: openssl rand -base64 32; keep a copy apart from the database'),
    ];
  } catch (error) {
    return [bad('configuration', (error as Error).message, 'correct it; docs/configuration.md has every variable')];
  }
}

async function ofServer(session: Session, version: string): Promise<Finding[]> {
  const { client } = session;
  const address = client.profile.admin_url;
  const startedAt = Date.now();
  const ready = await client.send('GET', '/readyz').catch((error: Failure) => error);
  if (ready instanceof Error)
    return [bad('admin API', ready.message, 'start Weir with `npm start`, or say where it is with --admin-url or WEIR_ADMIN_URL')];
  const clock = Date.parse(ready.headers.get('date') ?? '');
  return [
    ok('admin API', `${address} answers`),
    ...readiness(ready.text),
    ofClock(clock, startedAt, Date.now()),
    ofTls(address),
    ...(await ofKey(session)),
    ...(await ofMetrics(session)),
    unknown('backups', 'Weir does not know of them', 'restore one now and then: docs/operations/recovery.md'),
    ok('version', `this command is ${version}`),
  ];
}

function readiness(text: string): Finding[] {
  const { failing = [] } = jsonOf(text) as { failing?: { part: string; reason: string }[] };
  if (failing.length === 0) return [ok('ready', 'database and queues work')];
  return failing.map(({ part, reason }) => bad(part, reason, PARTS[part] ?? 'read the log of Weir'));
}

function ofClock(clock: number, startedAt: number, endedAt: number): Finding {
  if (Number.isNaN(clock)) return unknown('clock', 'the answer has no date', '');
  const off = Math.round(Math.max(startedAt - clock - 1_000, clock - endedAt, 0) / 1_000);
  return off <= MAX_CLOCK_SECONDS
    ? ok('clock', 'this machine and Weir agree')
    : warning('clock', `this machine and Weir differ by ${off} s`, 'let NTP set both clocks');
}

function ofTls(address: string): Finding {
  const { protocol, hostname } = new URL(address);
  if (protocol === 'https:') return ok('TLS', 'the certificate is valid');
  const isHere = /^(127\.|localhost$|\[::1\]$)/.test(hostname);
  return isHere
    ? ok('TLS', 'not needed on this machine')
    : warning('TLS', 'keys cross the network in the clear', 'put TLS before the admin listener: docs/deploy.md');
}

async function ofKey({ client }: Session): Promise<Finding[]> {
  const { admin_key, session } = client.profile;
  if (admin_key === undefined && session === undefined) return [warning('sign-in', 'nobody is signed in', 'weir login')];
  const isOperator = admin_key?.startsWith('weir_op_') && client.profile.tenant === undefined;
  const path = isOperator ? '/v1/platform/credentials' : '/v1/organization/providers';
  const list = await client.request('GET', path, { query: { limit: 100 } }).catch((error: Failure) => error);
  if (list instanceof Error) return [bad('sign-in', list.message, 'weir login')];
  const providers = list['data'] as { name: string; awaits_key?: boolean; breakers: unknown[] }[];
  const failing = providers.filter(({ breakers }) => breakers.length > 0);
  return [
    ok('sign-in', 'Weir takes it'),
    providers.length === 0
      ? warning('providers', 'none of your own', 'weir provider create --help')
      : failing.length === 0
        ? ok('providers', `${providers.length}, none of them failing`)
        : bad('providers', `failing: ${failing.map(({ name }) => name).join(', ')}`, `weir provider test ${failing[0]!.name}`),
  ];
}

async function ofMetrics({ client }: Session): Promise<Finding[]> {
  const { status, text } = await client.send('GET', '/metrics');
  if (status !== 200) return [unknown('metrics', `/metrics answered with status ${status}`, '')];
  const samples = readSamples(text);
  const most = (name: string): number | null => {
    const values = samples.filter((sample) => sample.name === name).map(({ value }) => value);
    return values.length === 0 ? null : Math.max(...values);
  };
  const sum = (name: string): number => samples.filter((sample) => sample.name === name).reduce((total, { value }) => total + value, 0);
  const waiting = Math.max(
    0,
    ...samples.filter(({ name, labels }) => name === 'weir_queue_jobs' && labels.includes('state="waiting"')).map(({ value }) => value),
  );
  const lastJob = most('weir_job_last_success_timestamp_seconds');
  const findings: (Finding | false)[] = [
    sum('weir_calls_unpriced_total') === 0
      ? ok('prices', 'every call since the start had one')
      : bad(
          'prices',
          `${sum('weir_calls_unpriced_total')} calls since the start had none`,
          'weir call list --json has their models; weir price set --help',
        ),
    sum('weir_audit_breaches') === 0
      ? ok('ledger', 'no audit found a fault')
      : bad('ledger', `${sum('weir_audit_breaches')} invariants do not hold`, 'npm run audit'),
    (most('weir_config_age_seconds') ?? 0) <= MAX_CONFIG_AGE_SECONDS
      ? ok('snapshots', 'keys, providers and prices in memory are current')
      : warning('snapshots', 'keys, providers and prices in memory may be old', 'look whether Postgres can be reached'),
    waiting <= MAX_WAITING_JOBS
      ? ok('queues', `${waiting} jobs wait`)
      : warning('queues', `${waiting} jobs wait`, 'start another worker: WEIR_ROLES=worker'),
    lastJob !== null &&
      lastJob > 0 &&
      Date.now() / 1_000 - lastJob > MAX_JOB_AGE_SECONDS &&
      bad('jobs', 'none ended well in two hours', 'read the log of the workers'),
  ];
  return findings.filter((finding) => finding !== false);
}

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

/** Of the text format of Prometheus. */
const readSamples = (text: string): Sample[] =>
  [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels = '', value]) => ({ name: name!, labels, value: Number(value) }));

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}
