import { settingOf } from '../kernel/setting-of.js';
import { ConfigError } from '../platform/config/index.js';

type Failure = NodeJS.ErrnoException & { port?: number; hostname?: string; address?: string };

/** OpenSSL's words for a certificate that nobody vouches for, or no longer. */
const UNTRUSTED = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_)/;
/** Its words where the other end does not take the certificate that it is shown, or asks for one. */
const CLIENT_CERTIFICATE = /^ERR_SSL_.*_ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA)$/;
/** pg's own words. */
const NO_TLS = 'The server does not support SSL connections';
const NO_PASSWORD = /client password must be a/;
const BUSY = /^timeout exceeded when trying to connect: (all \d+ connections of (\w+) are in use)$/;
const SILENT = /^(timeout (expired|exceeded)|Connection terminated due to connection timeout)/;
const BROKEN = /^(Connection terminated|Client has encountered a connection error)/;
const UNREACHABLE = /^(ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|P1001)$/;
const FULL = /^(53300|P2037)$/;

/** Why Weir could not start: a line per fault, each saying what to do. No secret is in it. */
export function describeFailure(error: unknown): string {
  if (error instanceof ConfigError) return error.faults.map((fault) => `weir: ${fault}`).join('\n');
  if (typeof error !== 'object' || error === null) return `weir: ${String(error)}`;
  const failure = error as Failure;
  const setting = settingOf(error);
  const said = (setting?.startsWith('WEIR_') ? ofListener(failure, setting) : null) ?? ofPostgres(failure, setting ?? 'DATABASE_URL');
  return `weir: ${said ?? ofFiles(failure) ?? failure.message}`;
}

function ofFiles({ code, path }: Failure): string | null {
  if ((code !== 'EACCES' && code !== 'EPERM') || !path) return null;
  return `this user may not use ${path}; run as the user it belongs to, or set WEIR_HOME to another directory`;
}

/** @param listener what the names of its variables begin with */
function ofListener({ code, port, address, hostname }: Failure, listener: string): string | null {
  if (code === 'EADDRINUSE') return `port ${port} is taken on ${address}; set ${listener}_PORT to a free one, or 0 for any`;
  if (code === 'EACCES') return `port ${port} needs more rights; set ${listener}_PORT to one above 1023`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `this machine has no address ${address ?? hostname}; set ${listener}_HOST to one that it has, or 0.0.0.0 for all`;
  return null;
}

/** @param variable that leads to it */
function ofPostgres(failure: Failure, variable: string): string | null {
  const { code = '', port, address, hostname, message } = failure;
  if (code === 'ENOTFOUND') return `there is no host ${hostname}, which ${variable} names; check how it is spelled`;
  if (code === 'EAI_AGAIN')
    return `no name server says where ${hostname} is, which ${variable} names; check the name, and the network of this machine`;
  const busy = BUSY.exec(message);
  if (busy) return `Postgres is too slow for this process: ${busy[1]}; raise ${busy[2]}, or give Postgres more to work with`;
  const hasNoSocket = code === 'ENOENT' && address !== undefined;
  if (UNREACHABLE.test(code) || hasNoSocket || (code === '' && SILENT.test(message)))
    return `Postgres does not answer${address ? ` at ${port ? `${address}:${port}` : address}` : ''}; check ${variable} and that the server runs`;
  if (code === 'ECONNRESET' || BROKEN.test(message))
    return `the server that ${variable} names ends connections at once; check that it is a Postgres, and look into its log`;
  return ofTls(failure, variable) ?? ofRefusal(failure, variable);
}

function ofTls({ code, message }: Failure, variable: string): string | null {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the certificate of Postgres is not for the host that ${variable} names; use a host that the certificate has, or sslmode=verify-ca`;
  if (UNTRUSTED.test(String(code)))
    return `the certificate of Postgres is not trusted (${code}); set sslrootcert in ${variable} to the file of its authority, or sslmode=require, which does not check it`;
  if (CLIENT_CERTIFICATE.test(String(code)))
    return `Postgres, or the pooler before it, does not take the certificate of this client (${/alert ([a-z ]+)/.exec(message)?.[1] ?? code}); set sslcert and sslkey in ${variable} to a certificate of an authority that it trusts, or leave both out`;
  if (message === NO_TLS)
    return `Postgres, or the pooler before it, has no TLS, and ${variable} (or PGSSLMODE) asks for it; turn it on in Postgres, or set sslmode=disable`;
  return null;
}

/** What Postgres itself says. */
function ofRefusal({ code = '', message }: Failure, variable: string): string | null {
  if (NO_PASSWORD.test(message))
    return `Postgres asks for a password, and ${variable} has none; write it as postgresql://user:password@host/database`;
  if (code === '25006')
    return `Postgres is read-only: ${message}; point ${variable} to the primary, or name all servers with target_session_attrs=read-write`;
  if (FULL.test(code))
    return `Postgres has too few connections for this process${code === '53300' ? `: ${message}` : ''}; lower WEIR_DATABASE_CALL_CONNECTIONS and its like, see docs/operations/postgres.md, or raise max_connections or the role's CONNECTION LIMIT`;
  if (/^57P0/.test(code)) return `Postgres takes no work now: ${message}; check ${variable}, and start Weir again when it does`;
  if (code === '28P01') return `Postgres refuses ${variable}: ${message}; / # ? % @ in a password are percent-encoded, e.g. %25 for %`;
  if (code === '3D000') return `Postgres refuses ${variable}: ${message}; make the database, see docs/operations/postgres.md`;
  if (/valid client certificate/.test(message))
    return `Postgres refuses ${variable}: ${message}; set sslcert and sslkey in it, and sslmode=verify-full with sslrootcert`;
  if (/^(28|08|42501)/.test(code)) return `Postgres refuses ${variable}: ${message}`;
  return null;
}
