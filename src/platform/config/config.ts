import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { nearest } from '../../kernel/nearest.js';
import { CRASH_KINDS, CRASH_POINTS, type Crash, HAS_CRASH_POINTS } from '../faults/points.js';
import type { SmtpServer } from '../mail/index.js';
import type { TracingOptions } from '../telemetry/index.js';
import { ConfigError } from './config-error.js';
import { readDatabaseUrl, withContents } from './database-url.js';
import { type ProxyAddress, proxy } from './proxy.js';
import { type RedisAddress, readRedis } from './redis.js';
import { smtpFrom, smtpUrl } from './smtp.js';
import { type CertificatePair, readPair, readPem } from './tls-files.js';
import { readTracing } from './tracing.js';
import { readVariables, SECRETS, secretIn } from './variables.js';
import { warningsOf } from './warnings.js';

const ROLES = ['gateway', 'control', 'worker'] as const;
type Role = (typeof ROLES)[number];

const whole = (what: string, least: number, most: number) => {
  const error = `must be ${what}, from ${least} to ${most}`;
  return z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error });
};
const port = (fallback: number) => whole('a port number', 0, 65_535).default(fallback);
const milliseconds = (fallback: number, least = 1) => whole('a number of milliseconds', least, 86_400_000).default(fallback);
const url = (schemes: string[]) =>
  z.string().refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol), {
    error: `must be a URL starting with ${schemes.map((s) => `${s}//`).join(' or ')}`,
  });

const connectionsAtMost = (least: number, fallback: number) => {
  const error = `must be a whole number of connections, from ${least} to 1000`;
  return z.coerce.number({ error }).int({ error }).min(least, { error }).max(1_000, { error }).default(fallback);
};

/** Cookies of sessions need HTTPS, but on the machine itself. */
const adminUrl = z
  .string()
  .refine(
    (text) =>
      URL.canParse(text) &&
      /^(https:|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$))/i.test(text) &&
      new URL(text).href === `${new URL(text).origin}/`,
    {
      error: 'must be an address such as https://weir.example.com, without a path; http:// is for localhost only',
    },
  )
  .transform((text) => new URL(text));

const flag = z.enum(['0', '1'], { error: 'must be 0 or 1' }).transform((text) => text === '1');

const masterKey = z
  .string()
  .transform((text) => text.trim())
  .pipe(
    z
      .string()
      .min(32, { error: 'must be at least 32 characters, e.g. the output of: openssl rand -base64 32' })
      .refine((text) => !/^(["']).*\1$/.test(text), { error: 'is in quotes, which would be a part of the key: leave them out' }),
  )
  .optional();

/** `point`, `point:n` or `point:n:kind`. */
const crash = z
  .string()
  .regex(new RegExp(`^(${CRASH_POINTS.join('|')})(:[1-9]\\d{0,5}(:(${CRASH_KINDS.join('|')}))?)?$`), {
    error: `must be point, point:n or point:n:kind, where point is one of ${CRASH_POINTS.join(', ')} and kind one of ${CRASH_KINDS.join(', ')}`,
  })
  .transform((text): Crash => {
    const [point, passing = '1', kind = 'kill'] = text.split(':');
    return { point: point as Crash['point'], passing: Number(passing), kind: kind as Crash['kind'] };
  });

function isNetwork(part: string): boolean {
  const [, v4, v6, bits] = /^(?:([\d.]+)|\[([0-9a-fA-F:.]+)\])\/(\d{1,3}):\d{1,5}$/.exec(part) ?? [];
  return v4 !== undefined ? isIPv4(v4) && Number(bits) <= 32 : v6 !== undefined && isIPv6(v6) && Number(bits) <= 128;
}

const commaList = (standard: string) =>
  z
    .string()
    .default(standard)
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean),
    );

const hostPorts = commaList('').refine(
  (parts) => parts.every((part) => /^(\[[0-9a-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/.test(part) || isNetwork(part)),
  {
    error: 'must be a comma list of host:port or network/bits:port, such as vllm:8000,10.8.0.0/16:443,[fd12::]/16:443',
  },
);

const hosts = commaList('').refine((parts) => parts.every((part) => /^(\[[0-9a-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/.test(part)), {
  error: 'must be a comma list of host:port, such as vllm:8000,gateway.example.com:443',
});

const networks = commaList('').refine((parts) => parts.every((part) => ipaddr.isValid(part) || ipaddr.isValidCIDR(part)), {
  error: 'must be a comma list of addresses and networks, such as 10.0.0.0/8,fd00::/8',
});

const INFERENCE_LISTENER = /^([a-z0-9][a-z0-9-]{0,62})=(?:(\/.{1,99})|(\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+):(\d{1,5}))$/;

/** `name=host:port` or `name=/path/to.sock`. */
const inferenceListeners = commaList('').transform((parts, context): InferenceListener[] => {
  const listeners = parts.flatMap((part) => {
    const [, name, path, host, port] = INFERENCE_LISTENER.exec(part) ?? [];
    if (name === undefined || Number(port ?? 0) > 65_535) return [];
    return [{ name, at: path === undefined ? { host: host!.replace(/^\[|\]$/g, ''), port: Number(port) } : { path } }];
  });
  const names = new Set(listeners.map(({ name }) => name));
  if (listeners.length === parts.length && names.size === parts.length) return listeners;
  context.addIssue({
    code: 'custom',
    message:
      'must be a comma list of name=host:port or name=/path/to.sock, such as pods=10.0.0.5:8082,box=/run/weir/box.sock; each name once, in small letters, digits and hyphens',
  });
  return z.NEVER;
});

const CLIENT_ID = 'needs a "client_id" for each type';
const login = z
  .strictObject(
    {
      client_id: z.string({ error: CLIENT_ID }).min(1, { error: CLIENT_ID }).max(256, { error: CLIENT_ID }),
      login_url: url(['https:', 'http:']).optional(),
    },
    { error: 'must have {"client_id": "…"} for each type, with a "login_url" where it is needed, and nothing else' },
  )
  .transform(({ client_id, login_url }): Login => ({ clientId: client_id, loginOrigin: login_url ? new URL(login_url).origin : null }))
  .optional();

/** By the provider type. */
const connections = z
  .string()
  .default('{}')
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: 'must be JSON such as {"copilot": {"client_id": "…"}}' });
      return z.NEVER;
    }
  })
  .pipe(
    z.strictObject(
      { copilot: login, 'openai-codex': login, 'minimax-oauth': login, 'qwen-code': login },
      { error: 'must name copilot, openai-codex, minimax-oauth or qwen-code, each with {"client_id": "…"}' },
    ),
  );

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** Every variable Weir reads; any other `WEIR_*` is refused at start, because it is most likely a typing error. */
const variables = z.object({
  WEIR_HOME: z.string().min(1).default('.weir'),
  WEIR_ROLES: commaList(ROLES.join(',')).pipe(
    z.array(z.enum(ROLES, { error: `must be a comma list of ${ROLES.join(', ')}` })).min(1, { error: 'names no role' }),
  ),
  WEIR_PUBLIC_HOST: z.string().min(1).default('127.0.0.1'),
  WEIR_PUBLIC_PORT: port(8080),
  WEIR_ADMIN_HOST: z.string().min(1).default('127.0.0.1'),
  WEIR_ADMIN_PORT: port(8081),
  WEIR_ADMIN_URL: adminUrl.optional(),
  WEIR_TRUSTED_PROXIES: networks,
  WEIR_MAX_CONNECTIONS: whole('a number of connections', 10, 1_000_000).default(10_000),
  WEIR_MAX_CALLS: whole('a number of calls', 1, 1_000_000).optional(),
  WEIR_MAX_LOOP_DELAY_MS: milliseconds(250),
  WEIR_CLIENT_STALL_TIMEOUT_MS: milliseconds(60_000),
  WEIR_KEEP_ALIVE_TIMEOUT_MS: milliseconds(65_000),
  WEIR_DRAIN_DELAY_MS: milliseconds(0, 0),
  WEIR_DRAIN_TIMEOUT_MS: milliseconds(20_000),
  WEIR_INFERENCE_LISTEN: inferenceListeners,
  WEIR_INFERENCE_CLIENT_CA: z.string().optional(),
  WEIR_TLS_CERT: z.string().optional(),
  WEIR_TLS_KEY: z.string().optional(),
  DATABASE_URL: z.string().optional(),
  DATABASE_DIRECT_URL: z.string().optional(),
  WEIR_DATABASE_CALL_CONNECTIONS: connectionsAtMost(2, 12),
  WEIR_DATABASE_CONFIG_CONNECTIONS: connectionsAtMost(2, 5),
  WEIR_DATABASE_ADMIN_CONNECTIONS: connectionsAtMost(1, 8),
  WEIR_DATABASE_QUEUE_CONNECTIONS: connectionsAtMost(12, 15),
  WEIR_DATABASE_ROLE: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: 'must be the name of a role: small letters, digits and _, at most 63' })
    .optional(),
  /** What belongs to Redis and to TLS is read beside these, as files belong to it. */
  REDIS_URL: z.string().optional(),
  REDIS_PASSWORD: z.string().optional(),
  REDIS_SENTINEL_PASSWORD: z.string().optional(),
  REDIS_TLS_CA: z.string().optional(),
  REDIS_TLS_CERT: z.string().optional(),
  REDIS_TLS_KEY: z.string().optional(),
  REDIS_PREFIX: z.string().optional(),
  WEIR_MASTER_KEY: masterKey,
  WEIR_MASTER_KEY_PREVIOUS: masterKey,
  WEIR_EGRESS_ALLOW: hostPorts,
  WEIR_EGRESS_PROXY: proxy,
  WEIR_SMTP_URL: smtpUrl,
  WEIR_SMTP_FROM: smtpFrom,
  WEIR_DEMO: flag.optional(),
  WEIR_MOCK: flag.optional(),
  WEIR_MODEL: z
    .string()
    .regex(/^\S{1,256}$/, { error: 'must be a model such as openai/gpt-5, or the name of a route' })
    .optional(),
  WEIR_LOG_LEVEL: z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }).default('info'),
  WEIR_CONNECT_TIMEOUT_MS: milliseconds(5_000),
  WEIR_FIRST_BYTE_TIMEOUT_MS: milliseconds(120_000),
  WEIR_PROGRESS_TIMEOUT_MS: milliseconds(60_000),
  WEIR_TOTAL_TIMEOUT_MS: milliseconds(1_800_000),
  WEIR_RETRIES: whole('a number of retries', 0, 5).default(2),
  WEIR_BREAKER_FAILURES: whole('a number of failures', 0, 1_000).default(5),
  WEIR_AUDIT_LOG_MONTHS: whole('a number of months', 13, 1_200).default(13),
  WEIR_RETENTION_MONTHS: whole('a number of months', 3, 1_200).optional(),
  WEIR_LEDGER_TIMEOUT_MS: milliseconds(250),
  WEIR_MAX_BUDGETS: whole('a number of budgets', 1, 1_000_000).default(1_000),
  WEIR_MODEL_RULES: z.string().optional(),
  WEIR_CONNECTIONS: connections,
  /** These two are read beside the variables of the vendors. */
  WEIR_INSTANCE_IDENTITY: z.enum(['aws', 'azure', 'google'], { error: 'must be aws, azure or google' }).optional(),
  WEIR_AWS_ROLE_ARN: z.string().optional(),
  /** OpenTelemetry's own are read together, and only where there is an endpoint: its operator sets them for every container. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.string().optional(),
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
  OTEL_EXPORTER_OTLP_TIMEOUT: z.string().optional(),
  OTEL_SERVICE_NAME: z.string().optional(),
  OTEL_RESOURCE_ATTRIBUTES: z.string().optional(),
  OTEL_TRACES_SAMPLER: z.string().optional(),
  OTEL_TRACES_SAMPLER_ARG: z.string().optional(),
  OTEL_PROPAGATORS: z.string().optional(),
  WEIR_TRACE_PROVIDERS: hosts,
  WEIR_CRASH: HAS_CRASH_POINTS ? crash.optional() : z.undefined('must not be set: this build has no fault injection').optional(),
});

/** Weir's own variables, and those that name the files of secrets. */
/** What the documents have clients keep their keys in, maybe in the same shell. */
const OF_CLIENTS: ReadonlySet<string> = new Set(['WEIR_API_KEY', 'WEIR_ADMIN_KEY', 'WEIR_TENANT']);
const KNOWN = [...Object.keys(variables.shape), ...SECRETS.map((name) => `${name}_FILE`)];

/** A call is counted by all budgets on each of its scopes, so this bounds what one call can make Postgres do. */
const MAX_ON_SCOPE = 8;

/** A model that is treated as another one. */
export interface ModelRule {
  /** A model id as its provider knows it, or its beginning with `*` behind. */
  match: string;
  /** The id of the model whose rules apply. */
  treatAs: string;
}

const modelId = z.string({ error: 'must be a string' }).min(1, { error: 'must not be empty' });
const modelRules = z.array(
  z
    .strictObject(
      { match: modelId.regex(/^[^*]*\*?$/, { error: 'may have a * at its end only' }), treat_as: modelId },
      { error: (issue) => (issue.code === 'unrecognized_keys' ? `has no field ${issue.keys.join(', ')}` : 'must be an object') },
    )
    .transform(({ match, treat_as }): ModelRule => ({ match, treatAs: treat_as })),
  { error: 'must be a list' },
);

/** Where a provider's own variables, such as OPENAI_API_KEY, are looked up. */
export interface Environment {
  /** Empty values count as absent. */
  variable(name: string): string | undefined;
  /** The text of a file that a variable names. @throws when it cannot be read. */
  file(path: string): string;
}

/** How a type of provider is logged in to. */
interface Login {
  /** The operator's own registration with the vendor. */
  clientId: string;
  /** Takes the requests of logins in the vendor's place; null: the vendor does. */
  loginOrigin: string | null;
}

/** A listener beside the public one, for calls to `inference.local` only. */
export interface InferenceListener {
  name: string;
  /** `path`: of a Unix socket. */
  at: { host: string; port: number } | { path: string };
}

/** The configuration of one process, read once before anything starts. Durations are in ms. */
export interface Config {
  home: string;
  roles: ReadonlySet<Role>;
  public: { host: string; port: number; tls: CertificatePair | null };
  /** clientCa: who signs the client certificates that those with an address ask for; null: they ask for none. */
  inference: { listeners: readonly InferenceListener[]; clientCa: Buffer | null };
  /** url: where browsers find the admin API; null: on this machine, at its port. */
  admin: { host: string; port: number; url: URL | null };
  /** Addresses and networks of the proxies whose `X-Forwarded-For` is believed. */
  trustedProxies: readonly string[];
  /** Connections that a listener has at a time. */
  maxConnections: number;
  /** From where on requests of tenants are refused: how many are open, null: as the heap has room for; and how late the event loop is. */
  load: { maxCalls: number | null; maxLoopDelayMs: number };
  /** How long a listener keeps a connection that carries no request. */
  keepAliveMs: number;
  /** At a signal to stop: how long new calls are still taken, then how long those in flight may take to end. */
  drain: { delayMs: number; limitMs: number };
  /** Null: the embedded Postgres under `home`. */
  databaseUrl: string | null;
  /** Past a pooler, for what needs a session: migrations, LISTEN and queues. Null: `databaseUrl`. */
  databaseDirectUrl: string | null;
  /** The run-time role; null: of the installation's own. */
  databaseRole: string | null;
  /** At most, by what they are for. */
  databaseConnections: { call: number; config: number; admin: number; queue: number };
  /** Null: queues live in Postgres. */
  redis: RedisAddress | null;
  /** Null: generated once and kept under `home`. */
  masterKey: string | null;
  /** The one before, while it is being replaced. */
  previousMasterKey: string | null;
  /** `host:port` or `network/bits:port` of private or plain-HTTP destinations that calls may go to. */
  egressAllow: ReadonlySet<string>;
  /** The HTTP proxy that calls go through; null: none. */
  egressProxy: ProxyAddress | null;
  /** The mail server that alerts go through; null: none does. */
  smtp: SmtpServer | null;
  /** Create a demo tenant at first start and keep its keys under `home`. */
  demo: boolean;
  /** Providers of the type `mock` may be made and called. */
  mock: boolean;
  /** The model of calls that name none, where neither their session nor key, project or tenant has one; null: none. */
  defaultModel: string | null;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  timeouts: { connectMs: number; firstByteMs: number; progressMs: number; totalMs: number; ledgerMs: number; clientStallMs: number };
  /** How often a failed attempt is repeated where no route says. */
  retries: number;
  /** How many failures in a row of a target are too many; 0: none are. */
  breakerFailures: number;
  /** The types of providers that may be connected by login. */
  connections: Readonly<Partial<Record<string, Login>>>;
  /** Null: calls are not traced. */
  tracing: TracingOptions | null;
  /** `host:port` of providers that the trace of a call is passed on to. */
  tracedProviders: ReadonlySet<string>;
  /** For tests: where to die. */
  crash: Crash | null;
  /** Months that lines of the audit log are kept. */
  auditLogMonths: number;
  /** Months that calls and ledger entries are kept after their own; null: for good. */
  retentionMonths: number | null;
  /** How many budgets, and how many limits, a tenant may have: in all, and on one kind and value of scope. */
  maxRules: { ofTenant: number; onScope: number };
  /** The first that matches counts. */
  modelRules: readonly ModelRule[];
  /** What is most likely meant otherwise. */
  warnings: readonly string[];
  /** The environment as the configuration was read from it, with `.env.local` and `.env` as they are now. @throws ConfigError */
  environment(): Environment;
}

/** Injection token of the configuration. */
export const CONFIG = Symbol('config');

/**
 * Reads the configuration from the environment, `.env.local` and `.env` in `directory`; the first of these that sets a variable wins.
 * @param envFile replaces `.env.local` and `.env`, and wins over the environment.
 * @throws ConfigError with every fault found.
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env, directory = process.cwd(), envFile?: string): Config {
  const faults: string[] = [];
  const read = (found: string[]) => readVariables(environment, directory, envFile, found);
  const merged = read(faults);
  for (const name of Object.keys(merged))
    if (name.startsWith('WEIR_') && !(name in variables.shape) && !OF_CLIENTS.has(name)) {
      const meant = nearest(name, KNOWN);
      faults.push(
        `${name} is not a variable of Weir; ${meant === null ? 'see' : `did you mean ${meant}? See`} .env.example for those that are`,
      );
    }
  const parsed = variables.safeParse(merged);
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`));
  const rules = merged.WEIR_MODEL_RULES === undefined ? [] : readModelRules(resolve(directory, merged.WEIR_MODEL_RULES), faults);
  const tls = readPair(['WEIR_TLS_CERT', 'WEIR_TLS_KEY'], merged, directory, faults);
  const clientCa = merged.WEIR_INFERENCE_CLIENT_CA
    ? readPem('WEIR_INFERENCE_CLIENT_CA', merged.WEIR_INFERENCE_CLIENT_CA, directory, faults)
    : null;
  if (clientCa && !tls) faults.push('WEIR_INFERENCE_CLIENT_CA needs TLS: set WEIR_TLS_CERT and WEIR_TLS_KEY as well');
  const redis = readRedis(merged, directory, faults);
  const databaseUrl = readDatabaseUrl('DATABASE_URL', merged, directory, faults);
  const databaseDirectUrl = readDatabaseUrl('DATABASE_DIRECT_URL', merged, directory, faults);
  const tracing = readTracing(merged, faults);
  if ((merged.WEIR_SMTP_URL === undefined) !== (merged.WEIR_SMTP_FROM === undefined))
    faults.push('WEIR_SMTP_URL and WEIR_SMTP_FROM must be set together: the mail server, and the sender of the mail that goes through it');
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults);

  const v = parsed.data;
  const demo = v.WEIR_DEMO ?? v.DATABASE_URL === undefined;
  const config: Config = {
    home: resolve(directory, v.WEIR_HOME),
    roles: new Set(v.WEIR_ROLES),
    public: { host: v.WEIR_PUBLIC_HOST, port: v.WEIR_PUBLIC_PORT, tls },
    inference: { listeners: v.WEIR_INFERENCE_LISTEN, clientCa },
    admin: { host: v.WEIR_ADMIN_HOST, port: v.WEIR_ADMIN_PORT, url: v.WEIR_ADMIN_URL ?? null },
    trustedProxies: v.WEIR_TRUSTED_PROXIES,
    maxConnections: v.WEIR_MAX_CONNECTIONS,
    load: { maxCalls: v.WEIR_MAX_CALLS ?? null, maxLoopDelayMs: v.WEIR_MAX_LOOP_DELAY_MS },
    keepAliveMs: v.WEIR_KEEP_ALIVE_TIMEOUT_MS,
    drain: { delayMs: v.WEIR_DRAIN_DELAY_MS, limitMs: v.WEIR_DRAIN_TIMEOUT_MS },
    databaseUrl,
    databaseDirectUrl,
    databaseRole: v.WEIR_DATABASE_ROLE ?? null,
    databaseConnections: {
      call: v.WEIR_DATABASE_CALL_CONNECTIONS,
      config: v.WEIR_DATABASE_CONFIG_CONNECTIONS,
      admin: v.WEIR_DATABASE_ADMIN_CONNECTIONS,
      queue: v.WEIR_DATABASE_QUEUE_CONNECTIONS,
    },
    redis,
    masterKey: v.WEIR_MASTER_KEY ?? null,
    previousMasterKey: v.WEIR_MASTER_KEY_PREVIOUS ?? null,
    egressAllow: new Set(v.WEIR_EGRESS_ALLOW.map((hostPort) => hostPort.toLowerCase())),
    egressProxy: v.WEIR_EGRESS_PROXY ?? null,
    smtp: v.WEIR_SMTP_URL && v.WEIR_SMTP_FROM ? { url: v.WEIR_SMTP_URL, from: v.WEIR_SMTP_FROM } : null,
    demo,
    mock: v.WEIR_MOCK ?? demo,
    defaultModel: v.WEIR_MODEL ?? null,
    logLevel: v.WEIR_LOG_LEVEL,
    timeouts: {
      connectMs: v.WEIR_CONNECT_TIMEOUT_MS,
      firstByteMs: v.WEIR_FIRST_BYTE_TIMEOUT_MS,
      progressMs: v.WEIR_PROGRESS_TIMEOUT_MS,
      totalMs: v.WEIR_TOTAL_TIMEOUT_MS,
      ledgerMs: v.WEIR_LEDGER_TIMEOUT_MS,
      clientStallMs: v.WEIR_CLIENT_STALL_TIMEOUT_MS,
    },
    retries: v.WEIR_RETRIES,
    breakerFailures: v.WEIR_BREAKER_FAILURES,
    auditLogMonths: v.WEIR_AUDIT_LOG_MONTHS,
    retentionMonths: v.WEIR_RETENTION_MONTHS ?? null,
    maxRules: { ofTenant: v.WEIR_MAX_BUDGETS, onScope: MAX_ON_SCOPE },
    modelRules: rules,
    connections: v.WEIR_CONNECTIONS,
    tracing,
    tracedProviders: new Set(v.WEIR_TRACE_PROVIDERS.map((hostPort) => hostPort.toLowerCase())),
    crash: v.WEIR_CRASH ?? null,
    warnings: warningsOf(merged, environment, directory, KNOWN),
    environment() {
      const found: string[] = [];
      const now = read(found);
      if (found.length > 0) throw new ConfigError(found);
      return {
        variable: (name) => now[name] ?? secretIn(name, now, directory),
        file: (path) => readFileSync(resolve(directory, path), 'utf8'),
      };
    },
  };
  const own = Object.keys(variables.shape).map((name) => [name, merged[name]]);
  const databases = { DATABASE_URL: withContents(databaseUrl), DATABASE_DIRECT_URL: withContents(databaseDirectUrl) };
  sources.set(config, {
    ...Object.fromEntries(own),
    ...databases,
    ...contents(tls, redis),
    WEIR_INFERENCE_CLIENT_CA: clientCa?.toString(),
  });
  return config;
}

/** What each configuration was read from. */
const sources = new WeakMap<Config, Record<string, string | undefined>>();

/** A file that is replaced keeps its name. */
const contents = (tls: CertificatePair | null, redis: RedisAddress | null): Record<string, string | undefined> => ({
  WEIR_TLS_CERT: tls?.cert.toString(),
  WEIR_TLS_KEY: tls?.key.toString(),
  REDIS_TLS_CA: redis?.tls?.ca?.toString(),
  REDIS_TLS_CERT: redis?.tls?.pair?.cert.toString(),
  REDIS_TLS_KEY: redis?.tls?.pair?.key.toString(),
});

/** Weir's own variables, and those of Postgres and Redis, with the contents of the files that they name. */
export const sourceOf = (config: Config): Readonly<Record<string, string | undefined>> => sources.get(config)!;

function readModelRules(path: string, faults: string[]): ModelRule[] {
  try {
    const parsed = modelRules.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (parsed.success) return parsed.data;
    faults.push(...parsed.error.issues.map(({ path: at, message }) => `WEIR_MODEL_RULES: ${[path, ...at].join(' ')} ${message}`));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is no JSON' : 'names a file that cannot be read';
    faults.push(`WEIR_MODEL_RULES ${why}: ${path}`);
  }
  return [];
}
