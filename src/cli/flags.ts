import { readFileSync } from 'node:fs';
import { UsageFailure } from './failure.js';

/**
 * How the text of a flag becomes a field.
 * - `time`: Unix seconds, a date, or how long ago, such as `7d`.
 * - `secret`: where it stands (`env:NAME`, `file:PATH`, or `-` for stdin), so that it is never in the list of processes.
 * - `pair`: `kind:value`. `targets`: models, each with a weight after `=` if it has one.
 * - `off`: the switch turns the field off.
 */
type Kind = 'text' | 'number' | 'switch' | 'off' | 'list' | 'numbers' | 'json' | 'time' | 'secret' | 'secrets' | 'pair' | 'targets';

interface Flag {
  readonly does: string;
  readonly kind?: Kind;
  /** Of the request; absent: the flag's name with underscores. */
  readonly field?: string;
  /** It exists for what belongs to the platform only. */
  readonly platform?: true;
}

/** Every flag of the commands in `commands.ts`. */
export const FLAGS: Readonly<Record<string, Flag>> = {
  'actor-ids': { kind: 'list', does: 'by these people or keys' },
  'after-time': { kind: 'time', field: 'effective_at[gte]', does: 'since then' },
  amount: { does: 'USD' },
  anchor: { kind: 'time', does: 'when periods begin' },
  'api-key-id': { does: 'of this API key' },
  apply: { kind: 'off', field: 'dry_run', does: 'do it, instead of only showing it' },
  attempts: { kind: 'number', does: 'most attempts of a call' },
  auth: { does: 'how the credential is sent' },
  'base-url': { does: 'the address of its API' },
  'before-time': { kind: 'time', field: 'effective_at[lt]', does: 'before then' },
  'cache-read': { does: 'USD per million tokens read from a cache' },
  'cache-write': { does: 'USD per million tokens written to a cache' },
  'cache-write-1h': { field: 'cache_write_1h', does: 'USD per million tokens written to a cache for an hour' },
  cidrs: { kind: 'list', does: 'networks it may be used from' },
  concurrent: { kind: 'number', field: 'max_concurrent_requests', does: 'most calls at a time' },
  'context-window': { kind: 'number', does: 'tokens of input and output together' },
  credential: { kind: 'json', does: 'a credential that is no plain key, as JSON' },
  'deadline-ms': { kind: 'number', does: 'milliseconds for all attempts' },
  'default-model': { does: 'the model of calls that name none' },
  dialect: { does: 'the wire format it speaks, such as openai-chat' },
  disabled: { kind: 'switch', does: 'stop it until --no-disabled' },
  'effective-at': { kind: 'time', does: 'when it begins' },
  email: { does: 'email address' },
  emails: { kind: 'list', does: 'email addresses, for the format email' },
  enabled: { kind: 'switch', does: 'whether events are sent' },
  endpoints: { kind: 'list', does: 'endpoints it may call, such as chat.completions' },
  'event-types': { kind: 'list', does: 'of these types, such as budget.updated' },
  'expires-at': { kind: 'time', does: 'when it stops working' },
  'external-id': { does: 'your own id of it' },
  'fallback-on': { kind: 'list', does: 'which errors lead to the next target' },
  fit: { does: 'shrink: lower the output limit of a call so that it fits' },
  format: { does: 'standard, slack, teams or email' },
  'four-eyes': { kind: 'switch', does: 'those who made the API key may not approve its calls' },
  'from-existing': { kind: 'switch', platform: true, does: 'take the key from the environment of Weir (operators)' },
  headers: { kind: 'json', does: 'headers of every call, as JSON' },
  input: { does: 'USD per million input tokens' },
  'keep-answers': { kind: 'switch', does: 'keep answers of calls with an Idempotency-Key' },
  key: { kind: 'secret', does: 'its API key: env:NAME, file:PATH, or - for stdin' },
  keys: { kind: 'secrets', does: 'several keys, each as env:NAME or file:PATH' },
  limit: { does: 'USD per period' },
  match: { kind: 'pair', does: 'what calls ask for, such as exact:fast or prefix:team/' },
  'max-cost-per-call': { does: 'most USD of a call' },
  'max-output-tokens': { kind: 'number', does: 'most output tokens of a call' },
  metadata: { kind: 'json', does: 'words of your own, as a JSON object' },
  method: { does: 'GET, POST, PUT, PATCH or DELETE' },
  mode: { does: 'deny (the default), approve or observe' },
  model: { does: 'model, as its provider calls it' },
  models: { kind: 'list', does: 'models, with commas between them' },
  name: { does: 'its name' },
  'skip-check': { kind: 'switch', field: 'no_verify', does: 'save it without checking it' },
  notes: { does: 'where the price is from' },
  'on-client-gone': { does: 'cancel or drain' },
  output: { does: 'USD per million output tokens' },
  'overlap-seconds': { kind: 'number', does: 'how long the old value still works' },
  path: { does: 'path, such as /v1/files' },
  period: { does: 'minute, hour, day, week, month, year, lifetime or rolling' },
  price: { does: 'USD per request' },
  'project-id': { does: 'project, as proj_…' },
  provider: { does: 'name of the provider' },
  query: { kind: 'list', does: 'query parameters that may be sent' },
  quirks: { kind: 'json', does: 'how it differs from its wire format, as JSON' },
  reason: { does: 'why; others read it' },
  reasoning: { kind: 'switch', does: 'whether it reasons' },
  'requests-per-minute': { kind: 'number', field: 'max_requests_per_1_minute', does: 'most requests per minute' },
  'resource-ids': { kind: 'list', does: 'of these objects' },
  retries: { kind: 'number', does: 'retries of a target' },
  role: { does: 'owner, admin, billing, approver, developer or viewer' },
  scope: { kind: 'pair', does: 'what it counts, such as tenant:*, key:key_…, end_user:* or tag:team=a' },
  'scope-value': { does: 'which value, for a budget on each value of a kind' },
  seconds: { kind: 'number', does: 'for how long the amount may be spent' },
  'set-by': { does: 'operator or tenant: who may change it (operators)' },
  since: { kind: 'time', field: 'start_time', does: 'since then: a date, Unix seconds, or how long ago, such as 7d' },
  state: { does: 'in this state only' },
  status: { does: 'completed, cut or failed' },
  strategy: { does: 'ordered, weighted, least_latency or least_cost' },
  targets: { kind: 'targets', does: 'the models that answer, such as openai/gpt-5 or a/b=2,c/d=1 with weights' },
  'thinking-level': { does: 'off, minimal, low, medium, high, xhigh or max' },
  thresholds: { kind: 'numbers', does: 'percents of the limit that webhooks are told of' },
  tiers: { kind: 'json', does: 'rates for long inputs, as JSON' },
  'timeout-ms': { kind: 'number', does: 'milliseconds for an answer' },
  timezone: { does: 'time zone of its periods, such as Europe/Berlin' },
  to: { field: 'tenant', does: 'the tenant, as ten_…' },
  'tokens-per-minute': { kind: 'number', field: 'max_tokens_per_1_minute', does: 'most tokens per minute' },
  tools: { kind: 'switch', does: 'whether it calls tools' },
  type: { does: 'type, such as openai; `weir provider types` lists them' },
  types: { kind: 'list', does: 'of these events only, such as budget.exceeded' },
  unsupported: { does: 'drop: leave out what a provider does not know' },
  'unpriced-call-cost': { does: 'USD booked for a call whose model has no price' },
  until: { kind: 'time', field: 'end_time', does: 'before then; absent: now' },
  url: { does: 'where events are sent' },
  vision: { kind: 'switch', does: 'whether it sees images' },
  'web-search': { does: 'USD per thousand searches' },
  when: { kind: 'json', does: 'other targets while a budget is nearly spent, as JSON' },
  'window-seconds': { kind: 'number', does: 'length of a rolling window' },
};

const ISO_DATE = /^\d{4}-\d\d-\d\d/;
const AGO = /^(\d{1,6})([smhdw])$/;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

export const fieldOf = (name: string): string => FLAGS[name]!.field ?? name.replaceAll('-', '_');
export const isSwitch = (name: string): boolean => FLAGS[name]!.kind === 'switch' || FLAGS[name]!.kind === 'off';

/** The value of a field, of what somebody wrote. `null` is written as the word. @throws UsageFailure that does not repeat secrets. */
export function readFlag(name: string, given: string | boolean, env: NodeJS.ProcessEnv): unknown {
  const { kind = 'text' } = FLAGS[name]!;
  if (kind === 'off') return !given;
  if (typeof given === 'boolean') return given;
  if (given === 'null') return null;
  return READERS[kind](given, `--${name}`, env);
}

/** Unix seconds. */
export function readTime(text: string, flag: string): number {
  const [, count, unit] = AGO.exec(text) ?? [];
  if (count && unit) return Math.floor(Date.now() / 1_000) - Number(count) * SECONDS[unit]!;
  const time = /^\d+$/.test(text) ? Number(text) : ISO_DATE.test(text) ? Math.floor(Date.parse(text) / 1_000) : Number.NaN;
  if (Number.isNaN(time))
    throw new UsageFailure(`${flag} is no time: write a date such as 2026-12-01, Unix seconds, or how long ago, such as 7d`);
  return time;
}

/** @throws UsageFailure without the text, which may be the secret. */
function readSecret(place: string, flag: string, env: NodeJS.ProcessEnv): string {
  const [how, ...rest] = place.split(':');
  const where = rest.join(':');
  if (place === '-') return readFileSync(0, 'utf8').trim();
  if (how === 'env' && where) {
    const value = env[where];
    if (!value) throw new UsageFailure(`${flag}: the variable ${where} is not set`);
    return value;
  }
  if (how === 'file' && where) return readText(where, flag).trim();
  throw new UsageFailure(
    `${flag} takes no key itself, which others could read in the list of processes: write env:NAME, file:PATH, or - for stdin`,
  );
}

/** @throws UsageFailure */
function readText(path: string, flag: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new UsageFailure(`${flag}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** JSON itself, `@PATH`, or `-` for stdin. @throws UsageFailure */
export function readJson(text: string, flag: string): unknown {
  const json = text === '-' ? readText('-', flag) : text.startsWith('@') ? readText(text.slice(1), flag) : text;
  try {
    return JSON.parse(json);
  } catch {
    throw new UsageFailure(`${flag} is no JSON: write for example '{"team": "a"}', @FILE, or - for stdin`);
  }
}

const listOf = (text: string): string[] => (text === '' ? [] : text.split(',').map((part) => part.trim()));

function readNumber(text: string, flag: string): number {
  if (!/^-?\d+(\.\d+)?$/.test(text)) throw new UsageFailure(`${flag} is no number`);
  return Number(text);
}

function readPair(text: string, flag: string): { kind: string; value: string } {
  const at = text.indexOf(':');
  if (at < 1)
    throw new UsageFailure(
      `${flag} needs a kind and a value with a colon between them, such as ${FLAGS[flag.slice(2)]!.does.split('such as ')[1]}`,
    );
  return { kind: text.slice(0, at), value: text.slice(at + 1) };
}

function readTargets(text: string, flag: string): { model: string; weight?: number }[] {
  return listOf(text).map((target) => {
    const at = target.lastIndexOf('=');
    return at < 0 ? { model: target } : { model: target.slice(0, at), weight: readNumber(target.slice(at + 1), flag) };
  });
}

const READERS: Readonly<Record<Exclude<Kind, 'off'>, (text: string, flag: string, env: NodeJS.ProcessEnv) => unknown>> = {
  text: (text) => text,
  number: readNumber,
  switch: (text) => text,
  list: listOf,
  numbers: (text, flag) => listOf(text).map((part) => readNumber(part, flag)),
  json: readJson,
  time: readTime,
  secret: readSecret,
  secrets: (text, flag, env) => listOf(text).map((place) => readSecret(place, flag, env)),
  pair: readPair,
  targets: readTargets,
};
