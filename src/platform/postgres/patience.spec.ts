import type { Logger } from '../telemetry/index.js';
import { isPostgresAway, patiently } from './patience.js';

const failed = (facts: object, message = 'failed') => Object.assign(new Error(message), facts);

/** As Prisma says it of a raw query: the kind is in what the error tells of the adapter, not in what caused it. */
const ofRawQuery = (kind: string) =>
  failed(
    { code: 'P2010', meta: { driverAdapterError: { name: 'DriverAdapterError', cause: { kind } } } },
    '\nInvalid `prisma.$queryRaw()`',
  );

test.each([
  ['a port where nothing listens', failed({ code: 'ECONNREFUSED' })],
  ['a server that stops', failed({ code: '57P01' })],
  ['a connection that broke', failed({}, 'Connection terminated unexpectedly')],
  ['an error that it caused', failed({ cause: failed({ code: '57P03' }) })],
  ['a query of Prisma', failed({ cause: { kind: 'DatabaseNotReachable' } })],
  ['a raw query of Prisma', ofRawQuery('DatabaseNotReachable')],
  ['a raw query of Prisma that got no connection', ofRawQuery('TooManyConnections')],
])('Postgres is away by %s', (_name, error) => expect(isPostgresAway(error)).toBe(true));

test.each([
  ['a statement that is wrong', failed({ code: '42601' })],
  ['a raw query that is wrong', ofRawQuery('postgres')],
  ['nothing', undefined],
])('Postgres is not away by %s', (_name, error) => expect(isPostgresAway(error)).toBe(false));

test('a start that waits for Postgres says so at once and then every ten seconds, in one line', async () => {
  const lines: unknown[] = [];
  const log = { warn: (facts: object, message: string) => lines.push([facts, message]) } as unknown as Logger;
  let left = 3;
  const work = async () => {
    if (left-- > 0) throw ofRawQuery('DatabaseNotReachable');
    return 'done';
  };
  expect(await patiently(work, log)).toBe('done');
  expect(lines).toEqual([[{ seconds: 0, cause: 'Invalid `prisma.$queryRaw()`' }, expect.stringContaining('the start waits for it')]]);
}, 10_000);
