import fc from 'fast-check';
import { Turns } from './turns.js';

test('keys take turns, however many wait for each, and a new one comes after those that wait', () => {
  const turns = new Turns<string>();
  for (let i = 1; i <= 5; i++) turns.add('a', `a${i}`);
  turns.add('b', 'b1');
  turns.add('b', 'b2');
  expect(turns.take(3)).toEqual(['a1', 'b1', 'a2']);
  turns.add('c', 'c1');
  expect([turns.size, turns.keys, turns.sizeOf('a'), turns.sizeOf('b'), turns.sizeOf('x')]).toEqual([5, 3, 3, 1, 0]);
  expect(turns.take(3)).toEqual(['b2', 'a3', 'c1']);
  expect(turns.take(9)).toEqual(['a4', 'a5']);
  expect([turns.size, turns.keys]).toEqual([0, 0]);
});

test('whatever is added and taken: each item is taken once, those of a key in their order, and nobody waits for two turns of another', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ add: fc.constantFrom('a', 'b', 'c', 'd'), times: fc.integer({ min: 1, max: 400 }) }) },
    { weight: 2, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 300 }) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const turns = new Turns<{ key: string; number: number }>();
      const waiting = new Map<string, number[]>(['a', 'b', 'c', 'd'].map((key) => [key, []]));
      let number = 0;
      for (const one of steps) {
        if ('add' in one) {
          for (let i = 0; i < one.times; i++) {
            waiting.get(one.add)!.push(++number);
            turns.add(one.add, { key: one.add, number });
          }
        } else {
          const had = new Map([...waiting].map(([key, numbers]) => [key, numbers.length]));
          const taken = turns.take(one.take);
          expect(taken).toHaveLength(
            Math.min(
              one.take,
              [...had.values()].reduce((a, b) => a + b),
            ),
          );
          for (const { key, number } of taken) expect(waiting.get(key)!.shift()).toBe(number);
          const served = (key: string) => taken.filter((item) => item.key === key).length;
          for (const [key, count] of had)
            for (const other of had.keys()) if (served(key) < count) expect(served(other) - served(key)).toBeLessThanOrEqual(1);
        }
        for (const [key, numbers] of waiting) expect(turns.sizeOf(key)).toBe(numbers.length);
      }
    }),
  );
});
