import type { RedisAddress } from '../config/index.js';

const RIGHTS = 'give the user of REDIS_URL the rights that docs/operations/redis.md lists';

/** What to do about what Redis, a sentinel or the connection to either says; the first that fits. */
const REMEDIES: readonly [RegExp, string][] = [
  [/sentinel.*(NOAUTH|WRONGPASS|AUTH)/i, 'set REDIS_SENTINEL_PASSWORD to the password of the sentinels'],
  [
    /No such master/,
    'the sentinels know no server by the name after master= in REDIS_URL: compare it with "sentinel monitor" in their files',
  ],
  [/sentinels are unreachable.*Last error/i, 'check the hosts of the sentinels in REDIS_URL, and that they run'],
  [/sentinels are unreachable/i, 'none knows the name after master= in REDIS_URL'],
  [/NOAUTH/, 'set REDIS_PASSWORD, or a password in REDIS_URL'],
  [/WRONGPASS|invalid (username-)?password|AUTH.*without any password/, 'check REDIS_PASSWORD, or user and password in REDIS_URL'],
  [/(NOPERM|permissions|can't access).*\bkeys?\b/, 'allow its user all keys that begin with REDIS_PREFIX'],
  [/NOPERM|permissions|can't run this command/, RIGHTS],
  [/MOVED|CROSSSLOT|ASK /, `this is one server of a cluster, and Weir may not ask for the others: ${RIGHTS}`],
  [/CLUSTERDOWN/, 'the cluster that REDIS_URL names has lost some of its slots: see CLUSTER INFO'],
  [/is no cluster/, 'name one host in REDIS_URL, or sentinels as redis-sentinel://'],
  [/SELECT is not allowed|DB index/, 'leave the number of the database out of REDIS_URL'],
  [/READONLY|MASTERDOWN/, 'REDIS_URL leads to a replica: name the master, or sentinels'],
  [/OOM|MISCONF/, 'give the server that REDIS_URL names more memory or disk'],
  [/altnames|does not match certificate/, 'name the host in REDIS_URL as the certificate does'],
  [
    /self-signed|unable to (verify|get)|certificate has expired|UNABLE_TO/i,
    'set REDIS_TLS_CA to the file of the authority that signs its certificate',
  ],
  [
    /certificate required|handshake failure|bad certificate|unknown ca/i,
    'set REDIS_TLS_CERT and REDIS_TLS_KEY to a certificate that the server takes',
  ],
  [/wrong version number|packet length|disconnected before secure TLS/, 'the server has no TLS there: begin REDIS_URL with redis://'],
];

/** Why Redis cannot be used, and which variable to look at. */
export function withRemedy(error: unknown, { tls }: RedisAddress): string {
  const reason = error instanceof Error ? error.message : String(error);
  const known = REMEDIES.find(([words]) => words.test(reason))?.[1];
  return `${reason}; ${known ?? `check REDIS_URL and that the server runs; ${tls ? 'where it asks for a certificate set REDIS_TLS_CERT and REDIS_TLS_KEY; without TLS it is redis://' : 'with TLS it is rediss://'}`}`;
}
