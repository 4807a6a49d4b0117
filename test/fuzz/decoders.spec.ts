import { sizeOf } from '../support/random.js';
import { fuzz } from './fuzz.js';

/** Always the same cases: what they find is found again. */
const SEED = 20_261_121;

test('whatever clients send and providers answer: no decoder fails in another way than it says, hangs, or writes what is not well-formed', () => {
  const { found, endings } = fuzz(SEED, { cases: sizeOf('FUZZ_CASES', 2_000) });
  const told = found.map(({ fault, at, smallest }) => ({
    fault,
    at,
    ...smallest,
    request: `${smallest.request}`,
    reply: `${smallest.reply}`,
  }));
  expect(told).toEqual([]);
  expect(Math.min(...Object.values(endings))).toBeGreaterThan(100);
}, 120_000);
