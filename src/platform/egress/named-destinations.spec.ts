import type { LookupAddress } from 'node:dns';
import { DestinationGuard } from './destination.js';
import { NamedDestinations } from './named-destinations.js';

const METADATA = 'http://169.254.169.254';
const NAMED = [METADATA, 'http://127.0.0.1:41235', 'http://metadata.google.internal', 'https://agent.example', 'http://[fd00:ec2::23]'];
const guard = new NamedDestinations(NAMED);

const accepts = (check: () => void): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};

test('an origin passes if it is named, and no other does', () => {
  for (const origin of NAMED) expect(accepts(() => guard.checkUrl(new URL(`${origin}/latest/api/token`)))).toBe(true);
  for (const origin of [
    'https://169.254.169.254',
    'http://169.254.169.254:8080',
    'http://169.254.170.2',
    'http://127.0.0.1',
    'http://metadata.google.internal.',
    'http://agent.example',
    'https://api.openai.com',
  ])
    expect([origin, accepts(() => guard.checkUrl(new URL(origin)))]).toEqual([origin, false]);
});

test.each([
  [METADATA, '169.254.169.254', true],
  [METADATA, '::ffff:169.254.169.254', true],
  [METADATA, '169.254.170.2', false],
  [METADATA, '127.0.0.1', false],
  ['http://[fd00:ec2::23]', 'fd00:ec2:0::23', true],
  ['http://metadata.google.internal', '169.254.169.254', true],
  ['http://metadata.google.internal', '127.0.0.1', true],
  ['http://metadata.google.internal', '93.184.215.14', false],
  ['https://agent.example', '93.184.215.14', true],
  ['http://not-named.example', '169.254.169.254', false],
])('a socket for %s may be connected to %s: %s', (origin, address, may) => {
  expect(accepts(() => guard.checkAddress(address, new URL(origin)))).toBe(may);
});

test('a name that leads outside by any of its addresses is not connected to by plain HTTP', async () => {
  const answers: LookupAddress[][] = [
    [{ address: '169.254.169.254', family: 4 }],
    [
      { address: '169.254.169.254', family: 4 },
      { address: '93.184.215.14', family: 4 },
    ],
  ];
  const names = new NamedDestinations(NAMED, (_name, done) => done(null, answers.shift()!));
  const resolve = names.lookupFor(new URL('http://metadata.google.internal'));
  const ask = () =>
    new Promise((done) => resolve('metadata.google.internal', { all: true }, (error) => done(error?.message ?? 'connected')));
  expect([await ask(), await ask()]).toEqual(['connected', 'The address is not the one that is named.']);
});

test('what is named for one guard is as closed as ever for the other', () => {
  const shared = new DestinationGuard(['169.254.169.254:80', 'metadata.google.internal:80']);
  for (const origin of [METADATA, 'http://metadata.google.internal']) {
    expect(accepts(() => shared.checkUrl(new URL(origin)))).toBe(false);
    expect(accepts(() => shared.checkAddress('169.254.169.254', new URL(origin)))).toBe(false);
  }
});
