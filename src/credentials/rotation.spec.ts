import fc from 'fast-check';
import { Secret } from '../platform/crypto/index.js';
import type { Credential } from './credential.js';
import { Cooldowns, Rotation } from './rotation.js';

const credential = (id: string): Credential => ({
  id,
  providerId: 'p',
  tenantId: 't',
  origin: 'https://a.example',
  secret: new Secret(id),
});
const IDS = ['a', 'b', 'c'];

function rotation(ids = IDS) {
  const rests = new Cooldowns();
  const keys = new Rotation(ids.map(credential), rests);
  return { rests, keys, pick: (session: string | null = null) => keys.pick(session).id };
}

const later = (seconds: number) => performance.now() + seconds * 1000;

test('keys are used in turn', () => {
  const { pick } = rotation();
  expect(Array.from({ length: 7 }, () => pick())).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a']);
});

test('a single key is used whether it rests or not', () => {
  const { rests, pick } = rotation(['a']);
  rests.add('a', later(60));
  expect(pick()).toBe('a');
});

test('a key that rests is passed over until its rest ends', () => {
  const { rests, pick, keys } = rotation();
  rests.add('b', later(60));
  expect(Array.from({ length: 6 }, () => pick())).not.toContain('b');
  expect(keys.readyInMs()).toBe(0);
  const other = rotation();
  other.rests.add('b', performance.now() - 1);
  expect(Array.from({ length: 3 }, () => other.pick())).toContain('b');
});

test('where all rest, the one that is ready first is used', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 1_000 }), { minLength: 2, maxLength: 8 }), fc.nat(20), (seconds, turns) => {
      const { rests, pick, keys } = rotation(seconds.map(String));
      for (let turn = 0; turn < turns; turn++) pick();
      for (const wait of seconds) rests.add(String(wait), later(wait));
      const least = Math.min(...seconds);
      return pick() === String(least) && Math.ceil(keys.readyInMs() / 1000) === least;
    }),
  );
});

test('the calls of one session keep to one key while it does not rest', () => {
  const { rests, pick } = rotation();
  const own = pick('conversation');
  for (let turn = 0; turn < 5; turn++) {
    pick();
    expect(pick('conversation')).toBe(own);
  }
  rests.add(own, later(60));
  expect(pick('conversation')).not.toBe(own);
  expect(new Set(Array.from({ length: 50 }, (_, index) => rotation().pick(`session ${index}`)))).toEqual(new Set(IDS));
});

test('a rest gets longer and never shorter, and is forgotten when it is over', () => {
  const rests = new Cooldowns();
  rests.add('a', 100);
  rests.add('a', 50);
  expect(rests.endOf('a')).toBe(100);
  rests.prune(99);
  expect(rests.none).toBe(false);
  rests.prune(100);
  expect([rests.none, rests.endOf('a')]).toEqual([true, 0]);
});
