import { Latencies } from './latencies.js';
import type { Target, TargetPlan } from './plan.js';
import { inOrder } from './strategy.js';

const planOf = (model: string): TargetPlan =>
  ({ reference: `p/${model}`, target: { providerId: 'p', model, price: null } as Target, maxOutputTokens: 10 }) as TargetPlan;
const [a, b, c] = ['a', 'b', 'c'].map(planOf) as [TargetPlan, TargetPlan, TargetPlan];
const weighted = (session: string | null) =>
  inOrder(
    'weighted',
    [
      { plan: a, weight: 1 },
      { plan: b, weight: 3 },
      { plan: c, weight: 6 },
    ],
    { session, inputTokensBound: 0 },
    new Latencies(),
  );

test('targets are drawn by weight, each once, and anew for each call', () => {
  const first = new Map<string, number>();
  for (let n = 0; n < 10_000; n++) {
    const order = weighted(null).map(({ reference }) => reference);
    expect(new Set(order).size).toBe(3);
    first.set(order[0]!, (first.get(order[0]!) ?? 0) + 1);
  }
  for (const [reference, share] of [
    ['p/a', 0.1],
    ['p/b', 0.3],
    ['p/c', 0.6],
  ] as const)
    expect(Math.abs(first.get(reference)! / 10_000 - share)).toBeLessThan(0.03);
});

test('a session keeps its order, and sessions spread by weight', () => {
  const first = new Map<string, number>();
  for (let n = 0; n < 5_000; n++) {
    const order = weighted(`session ${n}`);
    expect(weighted(`session ${n}`)).toEqual(order);
    first.set(order[0]!.reference, (first.get(order[0]!.reference) ?? 0) + 1);
  }
  expect(Math.abs(first.get('p/c')! / 5_000 - 0.6)).toBeLessThan(0.04);
});

test('the quickest comes first, by a mean in which the latest counts most', () => {
  const latencies = new Latencies();
  latencies.note(a.target, 100);
  latencies.note(b.target, 50);
  expect(latencies.inOrder([a, b, c], 0.5)).toEqual([b, a, c]);
  // Now and then one of unknown latency is tried first.
  expect(latencies.inOrder([a, b, c], 0.05)).toEqual([c, b, a]);
  for (let n = 0; n < 10; n++) latencies.note(b.target, 500);
  expect(latencies.inOrder([a, b], 0.5)).toEqual([a, b]);
});

test('one without a price comes behind all that have one', () => {
  const free = { ...b, target: { ...b.target, price: { rates: { input: 0n, output: 0n }, tiers: [] } } } as unknown as TargetPlan;
  expect(
    inOrder(
      'least_cost',
      [a, free, c].map((plan) => ({ plan, weight: 1 })),
      { session: null, inputTokensBound: 0 },
      new Latencies(),
    )[0],
  ).toBe(free);
});
