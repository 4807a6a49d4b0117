import { Secret } from '../crypto/index.js';
import { type CertificatePair, readPair, readPem } from './tls-files.js';

/** Where Redis is, and what it is shown. */
export interface RedisAddress {
  /** Of the server, or of nodes of a cluster; where it is found by sentinels, of those. */
  hosts: readonly { host: string; port: number }[];
  /** The name that sentinels know the server by; null: it is connected to directly. */
  master: string | null;
  database: number;
  username: string | null;
  password: Secret | null;
  sentinelUsername: string | null;
  sentinelPassword: Secret | null;
  /** Null: no TLS. `ca` replaces the authorities that Node knows; `pair` is shown to the server. */
  tls: { ca: Buffer | null; pair: CertificatePair | null } | null;
  /** Stands before the name of every key. */
  prefix: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

const SCHEMES = ['redis:', 'rediss:', 'redis-sentinel:', 'rediss-sentinel:'];
const FORM = /^([a-z-]+:)\/\/(?:([^\s:@/?#]*)(?::([^\s@/?#]*))?@)?([^\s@/?#]+)(?:\/(\d{0,4}))?(?:\?([^\s#]*))?$/;
const HOST = /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/;
/** `family` is often written, and not needed: addresses of IPv4 and IPv6 are tried. */
const PARAMETERS = ['family'];
const SENTINEL_PARAMETERS = ['master', 'sentinel_username'];
const PREFIX = /^[\w:./-]{1,64}$/;

/** What `REDIS_URL` and the variables beside it say; null: there is none. No fault repeats a secret. @param faults gets what is wrong. */
export function readRedis(variables: Variables, directory: string, faults: string[]): RedisAddress | null {
  const url = variables['REDIS_URL'];
  if (url === undefined) return null;
  const parsed = parse(url, faults);
  const prefix = variables['REDIS_PREFIX'] ?? '';
  if (prefix !== '' && !PREFIX.test(prefix))
    faults.push('REDIS_PREFIX must have up to 64 letters, digits and any of : . / _ -, e.g. weir:');
  const tls = readTrust(variables, url, directory, faults);
  const given = variables['REDIS_PASSWORD'];
  if (!parsed) return null;
  if (given !== undefined && parsed.password !== null)
    faults.push('REDIS_PASSWORD is set, and REDIS_URL has a password too; set one of them');
  const sentinelPassword = variables['REDIS_SENTINEL_PASSWORD'];
  if (sentinelPassword !== undefined && parsed.master === null)
    faults.push('REDIS_SENTINEL_PASSWORD is set, and REDIS_URL names no sentinels; write it as redis-sentinel://host:26379/0?master=name');
  return {
    ...parsed,
    password: secret(given) ?? parsed.password,
    sentinelPassword: secret(sentinelPassword),
    tls,
    prefix,
  };
}

const secret = (text: string | undefined): Secret | null => (text ? new Secret(text) : null);

type Parsed = Omit<RedisAddress, 'tls' | 'prefix' | 'sentinelPassword'>;

function parse(url: string, faults: string[]): Parsed | null {
  const fault = (text: string) => {
    faults.push(`REDIS_URL ${text}`);
    return null;
  };
  if (!SCHEMES.some((scheme) => url.startsWith(`${scheme}//`)))
    return fault(`must be a URL starting with ${SCHEMES.map((scheme) => `${scheme}//`).join(', ')}`);
  const [, scheme = '', user, password, list, database, query = ''] = FORM.exec(url) ?? [];
  const named = credentialsIn(user, password);
  if (list === undefined || named === null)
    return fault(
      'cannot be read: percent-encode what user and password have of / ? # % @ : and blanks, e.g. %2F for /, or set REDIS_PASSWORD',
    );
  const bySentinels = scheme.endsWith('sentinel:');
  const hosts = hostsIn(list, bySentinels ? 26_379 : 6_379);
  if (hosts === null) return fault('must name each host as host, host:port or [IPv6]:port');
  if (!bySentinels && hosts.length > 1 && Number(database ?? 0) > 0)
    return fault('names several hosts, so it is a cluster, which has database 0 only; leave the number out');
  const parameters = new URLSearchParams(query);
  const known = bySentinels ? [...PARAMETERS, ...SENTINEL_PARAMETERS] : PARAMETERS;
  const unknown = [...parameters.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) return fault(`has a parameter that is not known: ${unknown}`);
  const [master, sentinelUsername] = SENTINEL_PARAMETERS.map((name) => parameters.get(name));
  if (bySentinels && !master) return fault('needs ?master=name, the name that the sentinels know the server by');
  return { hosts, master: master ?? null, database: Number(database ?? 0), ...named, sentinelUsername: sentinelUsername ?? null };
}

function credentialsIn(user: string | undefined, password: string | undefined): Pick<Parsed, 'username' | 'password'> | null {
  try {
    return { username: user ? decodeURIComponent(user) : null, password: secret(password && decodeURIComponent(password)) };
  } catch {
    return null;
  }
}

function hostsIn(list: string, fallback: number): Parsed['hosts'] | null {
  const hosts = list.split(',').map((text) => {
    const [, v6, name, digits = fallback] = HOST.exec(text) ?? [];
    const host = v6 ?? name;
    return host === undefined || Number(digits) > 65_535 ? null : { host, port: Number(digits) };
  });
  return hosts.every((host) => host !== null) ? hosts : null;
}

const TRUST = ['REDIS_TLS_CA', 'REDIS_TLS_CERT', 'REDIS_TLS_KEY'] as const;

function readTrust(variables: Variables, url: string, directory: string, faults: string[]): RedisAddress['tls'] {
  const needless = TRUST.find((name) => variables[name] !== undefined);
  if (!url.startsWith('rediss')) {
    if (needless !== undefined)
      faults.push(`${needless} is set, and REDIS_URL is without TLS; begin it with rediss:// or rediss-sentinel://`);
    return null;
  }
  const ca = variables['REDIS_TLS_CA'];
  return {
    ca: ca === undefined ? null : readPem('REDIS_TLS_CA', ca, directory, faults),
    pair: readPair(['REDIS_TLS_CERT', 'REDIS_TLS_KEY'], variables, directory, faults),
  };
}
