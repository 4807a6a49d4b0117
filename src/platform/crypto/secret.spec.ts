import { format, inspect } from 'node:util';
import { Secret } from './secret.js';

const TEXT = 'sk-that-nobody-may-read';
const secret = new Secret(TEXT);
const failure = new Error('refused', { cause: { credential: { id: 'c', secret } } });

test.each([
  ['as text', `${secret}`],
  ['joined', `a${String(secret)}`],
  ['as JSON', JSON.stringify({ secret })],
  ['inspected', inspect({ deep: { secret } }, { depth: 9, showHidden: true })],
  ['inspected past its own rendering', inspect({ secret }, { customInspect: false, showHidden: true, depth: 9 })],
  ['as the cause of an error', inspect(failure, { depth: 9 })],
  ['formatted', format('%s %o %O %j %d', secret, secret, secret, { secret }, secret)],
  ['cloned', inspect(structuredClone({ secret }), { showHidden: true })],
  ['by its properties', Object.getOwnPropertyNames(secret).concat(Object.values(secret)).join()],
])('a secret %s says nothing of itself', (_, text) => {
  expect(text).not.toContain(TEXT);
});

test('a secret that is printed says what it is', () => {
  expect([`${secret}`, JSON.stringify([secret]), inspect(secret), format('%s', secret)]).toEqual([
    '[secret]',
    '["[secret]"]',
    '[secret]',
    '[secret]',
  ]);
});

test('it is revealed to whoever asks for it by name', () => expect(secret.reveal()).toBe(TEXT));
