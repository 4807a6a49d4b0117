import { setBy } from '../kernel/setting-of.js';
import { describeFailure } from './failure.js';

const failure = (code: string | undefined, message = 'raw') => describeFailure(Object.assign(new Error(message), { code }));

test.each([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', undefined, 'sslrootcert'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', undefined, 'sslrootcert'],
  ['CERT_HAS_EXPIRED', undefined, 'sslrootcert'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', undefined, 'sslmode=verify-ca'],
  [undefined, 'The server does not support SSL connections', 'sslmode=disable'],
  [
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    '40A2:error:0A000418:SSL routines:tlsv1 alert unknown ca:../deps/x.c:918:SSL alert number 48\n',
    'sslcert',
  ],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', '40A2:error:0A000412:SSL routines:ssl/tls alert bad certificate', 'sslcert'],
  ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', '40A2:error:0A000415:SSL routines:sslv3 alert certificate expired', 'sslcert'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', '40A2:error:0A00045C:SSL routines:tlsv13 alert certificate required', 'sslcert'],
  ['28000', 'connection requires a valid client certificate', 'sslcert'],
  ['25006', undefined, 'target_session_attrs=read-write'],
])('%s %s names the variable and the remedy', (code, message, remedy) => {
  const said = failure(code, message);
  expect(said).toContain('DATABASE_URL');
  expect(said).toContain(remedy);
  expect(said).not.toContain('\n');
});

const led = async (setting: string, facts: object, message = 'raw') => {
  const error = Object.assign(new Error(message), facts);
  await setBy(setting, Promise.reject(error)).catch(() => {});
  return describeFailure(error);
};

test.each([
  [{ code: 'ENOTFOUND', hostname: 'dbb' }, 'raw', /there is no host dbb/],
  [{ code: 'EAI_AGAIN', hostname: 'db' }, 'raw', /no name server says where db is/],
  [{ code: 'ECONNREFUSED', address: '10.0.0.1', port: 5432 }, 'raw', /does not answer at 10.0.0.1:5432/],
  [{ code: 'ENOENT', address: '/run/.s.PGSQL.5432' }, 'raw', /does not answer at \/run\/.s.PGSQL.5432/],
  [{}, 'timeout expired', /does not answer/],
  [{}, 'Connection terminated due to connection timeout', /does not answer/],
  [{}, 'Connection terminated unexpectedly', /ends connections at once/],
  [{}, 'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', /asks for a password/],
  [{ code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'raw', /sslrootcert in DATABASE_DIRECT_URL/],
  [{ code: '28P01' }, 'password authentication failed for user "weir"', /percent-encoded/],
  [{ code: '28000' }, 'no pg_hba.conf entry for host', /no pg_hba.conf entry/],
  [{ code: '3D000' }, 'database "weir" does not exist', /make the database/],
  [{ code: '57P03' }, 'the database system is starting up', /takes no work now/],
  [{ code: '08P01' }, 'no such user', /refuses DATABASE_DIRECT_URL: no such user/],
  [{ code: '42501' }, 'permission denied for database "weir"', /permission denied/],
])('%j %s names the variable that led there', async (facts, message, expected) => {
  const said = await led('DATABASE_DIRECT_URL', facts, message);
  expect(said).toMatch(expected);
  expect(said).toContain('DATABASE_DIRECT_URL');
  expect(said).not.toContain('DATABASE_URL');
  expect(said).not.toContain('\n');
});

test.each([
  ['EADDRINUSE', /port 80 is taken.*set WEIR_ADMIN_PORT/],
  ['EACCES', /port 80 needs more rights; set WEIR_ADMIN_PORT/],
  ['EADDRNOTAVAIL', /no address 10.0.0.1; set WEIR_ADMIN_HOST/],
])('%s of a listener names the variable of that one', async (code, expected) => {
  const said = await led('WEIR_ADMIN', { code, port: 80, address: '10.0.0.1' });
  expect(said).toMatch(expected);
  expect(said).not.toMatch(/WEIR_PUBLIC|DATABASE/);
});

test.each([
  [
    '53300',
    'sorry, too many clients already',
    /too few connections for this process: sorry, too many clients already; lower WEIR_DATABASE_CALL/,
  ],
  [
    'P2037',
    'Invalid `this.prisma.price.findMany()` invocation in\n/dist/x.js',
    /^weir: Postgres has too few connections for this process; lower/,
  ],
  [
    undefined,
    'timeout exceeded when trying to connect: all 12 connections of WEIR_DATABASE_CALL_CONNECTIONS are in use',
    /raise WEIR_DATABASE_CALL/,
  ],
])('%s, too few connections, says which are too few, and not that Postgres is silent', (code, message, expected) => {
  const said = failure(code, message);
  expect(said).toMatch(expected);
  expect(said).not.toMatch(/does not answer|\n|findMany/);
});
