import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import tls from 'node:tls';
import type pg from 'pg';

/** What is wrong with a connection URL, in words that follow the name of its variable. No secret is in it. */
export class AddressFault extends Error {
  /** @param parameter of the URL that is at fault. */
  constructor(
    message: string,
    readonly parameter?: string,
  ) {
    super(message);
  }
}

/** One way to a server. */
export interface Route {
  host: string;
  port: number;
  ssl: false | tls.ConnectionOptions;
}

/** Where a database is and as whom it is entered. */
export interface Address {
  /** Tried in this order. */
  routes: readonly Route[];
  user: string | undefined;
  password: string | undefined;
  database: string | undefined;
  /** Null: the first schema of the search path that is there. */
  schema: string | null;
  /** Which of several servers will do. */
  wants: 'any' | 'writes' | 'reads';
  /** What the client is given beside. */
  more: Pick<pg.ClientConfig, 'options'> & { enableChannelBinding?: boolean; sslnegotiation?: 'postgres' | 'direct' };
}

const ENCODE = 'cannot be read: percent-encode what the password has of / ? # % @ : and blanks, e.g. %2F for /';
const SCHEME = /^postgres(?:ql)?:\/\//;
const PARTS = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const PORT = 5432;
const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const;
type Mode = (typeof MODES)[number];
const WANTS: Record<string, Address['wants']> = {
  any: 'any',
  'read-write': 'writes',
  primary: 'writes',
  'read-only': 'reads',
  standby: 'reads',
  'prefer-standby': 'any',
};
/** Of libpq, of Prisma, and of node-postgres. Any other is a mistake: one letter less, and TLS that was asked for is not required. */
const PARAMETERS = new Set(
  `host hostaddr port dbname user password passfile channel_binding connect_timeout client_encoding options application_name
  fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout replication gssencmode sslmode
  sslnegotiation requiressl sslcompression sslcert sslkey sslpassword sslcertmode sslrootcert sslcrl sslcrldir sslsni ssl_min_protocol_version
  ssl_max_protocol_version min_protocol_version max_protocol_version sslkeylogfile servicefile scram_client_key scram_server_key requirepeer require_auth krbsrvname gsslib gssdelegation service target_session_attrs load_balance_hosts
  schema connection_limit pool_timeout socket_timeout pgbouncer statement_cache_size sslidentity sslaccept
  ssl uselibpqcompat encoding statement_timeout lock_timeout query_timeout max_connection_lifetime`.split(/\s+/),
);
const SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/;
const FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const;

/** Parameters that libpq also reads from the environment, with their variables. */
export const ENVIRONMENT_PARAMETERS = {
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
} as const;

export const hasParameter = (url: string, name: string): boolean => new URLSearchParams(url.split('?')[1] ?? '').has(name);

/** The URL with more parameters. */
export function withParameters(url: string, more: [name: string, value: string][]): string {
  if (more.length === 0) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${new URLSearchParams(more)}`;
}

/** The files that a URL names, by parameter. */
export function filesOf(url: string): [parameter: string, file: string][] {
  const parameters = new URLSearchParams(url.split('?')[1] ?? '');
  return FILES.flatMap((name): [string, string][] => {
    const file = parameters.get(name);
    return file && file !== 'system' ? [[name, file]] : [];
  });
}

/** Reads a connection URL as libpq does. @throws AddressFault */
export function readAddress(url: string): Address {
  if (!SCHEME.test(url)) throw new AddressFault('must be a URL starting with postgres:// or postgresql://');
  const [, userinfo = '', authority, path = '', query = ''] = PARTS.exec(url) ?? [];
  if (authority === undefined || /\s/.test(url) || path.includes('@') || (userinfo === '' && /@/.test(query)))
    throw new AddressFault(ENCODE);
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((name) => !PARAMETERS.has(name));
  if (unknown !== undefined) throw new AddressFault(`has a parameter "${unknown}", which is not known; check how it is spelled`);
  const schema = parameters.get('schema') || null;
  if (schema !== null && !SCHEMA.test(schema)) throw new AddressFault('has a schema with other characters than a-z, 0-9 and _; rename it');
  const [user, password] = splitOnce(userinfo, ':').map(decoded);
  const places = placesOf(parameters.get('host') ?? authority, parameters.get('port'), parameters.has('host'));
  const wanted = parameters.get('target_session_attrs');
  if (wanted !== null && !(wanted in WANTS))
    throw new AddressFault(
      `has a target_session_attrs that is not known; it must be one of ${Object.keys(WANTS).join(', ')}`,
      'target_session_attrs',
    );
  const encryption = encryptionOf(parameters);
  return {
    routes: places.flatMap(({ host, port }) =>
      isLocal(host, parameters) ? [{ host, port, ssl: false as const }] : encryption.map((ssl) => ({ host, port, ssl })),
    ),
    user: parameters.get('user') ?? (user || undefined),
    password: parameters.get('password') ?? password,
    database: decoded(path) || parameters.get('dbname') || undefined,
    schema,
    // Who names several servers means the one that takes writes: nothing else is of use.
    wants: wanted === null ? (places.length > 1 ? 'writes' : 'any') : WANTS[wanted]!,
    more: {
      ...(parameters.has('options') && { options: parameters.get('options')! }),
      ...(parameters.get('channel_binding') === 'require' && { enableChannelBinding: true }),
      ...(parameters.has('sslnegotiation') && { sslnegotiation: parameters.get('sslnegotiation') as 'direct' }),
    },
  };
}

/** Whether both lead to one database as one role. How that role is proved, and how connections are encrypted, may differ. */
export function leadToSame(one: Address | null, other: Address | null): boolean {
  if (!one || !other) return false;
  const ends = ({ routes, user, database, schema, wants, more }: Address) =>
    JSON.stringify([[...new Set(routes.map(({ host, port }) => `${host}:${port}`))], user, database, schema, wants, more]);
  return ends(one) === ends(other);
}

function placesOf(hosts: string, ports: string | null, isParameter: boolean): { host: string; port: number }[] {
  const portList = ports?.split(',');
  return hosts.split(',').map((text, index, all) => {
    const [, six, plain = '', written] = (isParameter ? /^()(.*)()$/ : /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*))(?::(\d*))?$/).exec(text) ?? [];
    const host = six || decoded(plain);
    const port = Number((written || portList?.[all.length === portList.length ? index : 0]) ?? PORT);
    if ((six === undefined && plain === '' && text !== '') || !(port > 0 && port < 65536)) throw new AddressFault(ENCODE);
    return { host: host || 'localhost', port };
  });
}

/** On the same machine nobody reads along: there TLS has to be asked for. A socket of the file system never has any. */
function isLocal(host: string, parameters: URLSearchParams): boolean {
  if (host.startsWith('/')) return true;
  const asked = parameters.has('sslmode') || parameters.has('sslrootcert') || parameters.has('ssl') || parameters.has('sslnegotiation');
  return !asked && (host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.')));
}

/** What is tried of encryption, in this order. */
function encryptionOf(parameters: URLSearchParams): Route['ssl'][] {
  const root = parameters.get('sslrootcert');
  const mode = modeOf(parameters, root);
  if (mode === 'disable') return [false];
  const files: tls.ConnectionOptions = {
    ...(parameters.has('sslcert') && { cert: readPem('sslcert', parameters.get('sslcert')!) }),
    ...(parameters.has('sslkey') && { key: readPem('sslkey', parameters.get('sslkey')!) }),
    ...(parameters.has('sslpassword') && { passphrase: parameters.get('sslpassword')! }),
  };
  assertPair(files, parameters);
  const unverified = { ...files, rejectUnauthorized: false };
  if (mode === 'allow') return [false, unverified];
  if (mode === 'prefer') return [unverified, false];
  if (mode === 'no-verify' || (mode === 'require' && root === null)) return [unverified];
  const trusted = {
    ...files,
    ...(root !== null && { ca: root === 'system' ? tls.getCACertificates('system') : readPem('sslrootcert', root) }),
  };
  return [mode === 'verify-full' ? trusted : { ...trusted, checkServerIdentity: () => undefined }];
}

/** A pair that cannot be used would be noticed by the first connection only, which after a reload comes hours later. */
function assertPair(files: tls.ConnectionOptions, parameters: URLSearchParams): void {
  if (!files.cert || !files.key) return;
  const [cert, key] = [parameters.get('sslcert'), parameters.get('sslkey')];
  try {
    tls.createSecureContext(files);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = code.includes('KEY_VALUES_MISMATCH')
      ? `which is not the key of sslcert=${cert}`
      : `which cannot be used with sslcert=${cert}: ${message.trim()}`;
    throw new AddressFault(`has sslkey=${key}, ${why}`, 'sslkey');
  }
}

function modeOf(parameters: URLSearchParams, root: string | null): Mode {
  const flag = parameters.get('ssl');
  const fallback =
    root === 'system' || flag === 'true' || flag === '1' ? 'verify-full' : flag === 'false' || flag === '0' ? 'disable' : 'prefer';
  const mode = (parameters.get('sslmode') ?? fallback) as Mode;
  if (!MODES.includes(mode))
    throw new AddressFault(`has an sslmode that is not known; it must be one of ${MODES.slice(0, -1).join(', ')}`, 'sslmode');
  if (root === 'system' && mode !== 'verify-full')
    throw new AddressFault('has sslrootcert=system, which needs sslmode=verify-full', 'sslrootcert');
  return mode;
}

function readPem(parameter: string, path: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch {
    throw new AddressFault(`has ${parameter}=${path}, a file that cannot be read`, parameter);
  }
  if (!pem.includes('-----BEGIN ')) throw new AddressFault(`has ${parameter}=${path}, a file that is no PEM`, parameter);
  return pem;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AddressFault(ENCODE);
  }
}

function splitOnce(text: string, at: string): string[] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
