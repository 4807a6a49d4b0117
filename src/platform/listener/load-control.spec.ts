import { LoadControl } from './load-control.js';

const CALM = { loopDelayMs: 0, heapPart: 0.3 };
const LATE = { loopDelayMs: 400, heapPart: 0.3 };
const FULL = { loopDelayMs: 0, heapPart: 0.95 };
const make = (max = 1_000) => new LoadControl(max, 250);
const begin = (load: LoadControl, owner: string, times: number) => Array.from({ length: times }, () => load.begin(owner));
const served = (reasons: (string | null)[]) => reasons.filter((reason) => reason === null).length;

test('as many are served as may be open, and again as many as ended', () => {
  const load = make(100);
  expect(served(begin(load, 'a', 150))).toBe(100);
  expect(load.begin('a')).toBe('calls');
  for (let ended = 0; ended < 10; ended++) load.end('a');
  expect(served(begin(load, 'a', 150))).toBe(10);
});

test('beside an owner with all of them, each other one gets its part, and one at least', () => {
  const load = make(100);
  begin(load, 'loud', 100);
  expect(served(begin(load, 'quiet', 100))).toBe(50);
  for (let other = 0; other < 300; other++) expect(load.begin(`other ${other}`)).toBeNull();
  expect(load.begin('loud')).toBe('calls');
});

test.each([
  ['event_loop', LATE],
  ['heap', FULL],
] as const)('while the load is too high for %s, fewer and fewer are served, and of who has most first', (reason, high) => {
  const load = make();
  begin(load, 'loud', 400);
  begin(load, 'quiet', 10);
  load.measured(high);
  expect(load.limit).toBe(328);
  expect(load.begin('loud')).toBe(reason);
  expect(load.begin('quiet')).toBeNull();
  for (let look = 0; look < 100; look++) load.measured(high);
  expect(load.limit).toBe(50);
  expect(served(begin(load, 'quiet', 100))).toBe(14);
});

test('the limit rises only once the load is far below its bound, step by step', () => {
  const load = make();
  begin(load, 'loud', 400);
  load.measured(LATE);
  for (const between of [
    { loopDelayMs: 200, heapPart: 0.3 },
    { loopDelayMs: 0, heapPart: 0.85 },
  ]) {
    load.measured(between);
    expect([load.limit, load.begin('loud')]).toEqual([320, 'event_loop']);
  }
  load.measured(CALM);
  expect([load.limit, load.begin('loud')]).toEqual([400, 'event_loop']);
  for (let look = 0; look < 10; look++) load.measured(CALM);
  expect([load.limit, load.begin('loud')]).toEqual([1_000, null]);
});
