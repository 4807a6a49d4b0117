import { Passwords } from './passwords.js';

const passwords = new Passwords();

test('a password fits its own hash only, each hash has a salt of its own, and no password fits none', async () => {
  const hash = await passwords.hash('correct horse battery');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await passwords.hash('correct horse battery')).not.toBe(hash);
  expect(await passwords.verify('correct horse battery', hash)).toBe(true);
  expect(await passwords.verify('correct horse batterY', hash)).toBe(false);
  expect(await passwords.verify('', null)).toBe(false);
});

test('a password is the same, however a keyboard composes its letters', async () => {
  expect(await passwords.verify('pa\u0308ssword', await passwords.hash('p\u00e4ssword'))).toBe(true);
});

test('a stored password that cannot be read is an error, and not a wrong password', async () => {
  const cut = '$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$';
  await expect(passwords.verify('x', cut)).rejects.toThrow('unknown format');
});

test('of a flood two are hashed at a time and 32 wait; the others are refused, and the event loop is free', async () => {
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 5);
  const flood = await Promise.allSettled(Array.from({ length: 50 }, () => passwords.verify('a guess', null)));
  clearInterval(ticking);
  const refused = flood.filter(({ status }) => status === 'rejected');
  expect(refused.map((one) => (one as PromiseRejectedResult).reason.code)).toEqual(Array(16).fill('overloaded'));
  expect(ticks).toBeGreaterThan(20);
});
