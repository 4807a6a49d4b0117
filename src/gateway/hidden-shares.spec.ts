import { HiddenShares } from './hidden-shares.js';

test('fewer than 50 calls say nothing; from then on it is the 95th percentile', () => {
  const shares = new HiddenShares();
  for (let call = 1; call < 50; call++) shares.learn('m', 10, 10 + call);
  expect(shares.of('m')).toBeNull();
  shares.learn('m', 10, 60);
  expect(shares.of('m')).toBe(4.8);
  expect(shares.of('other')).toBeNull();
});

test('only the last 1,000 calls count', () => {
  const shares = new HiddenShares();
  for (let call = 0; call < 1_000; call++) shares.learn('m', 1, 1_000);
  for (let call = 0; call < 1_000; call++) shares.learn('m', 1, 1);
  expect(shares.of('m')).toBe(0);
});

test('a model that is not called is forgotten before those that are', () => {
  const shares = new HiddenShares();
  for (let call = 0; call < 50; call++) {
    shares.learn('often', 1, 3);
    shares.learn('once', 1, 3);
  }
  for (let other = 0; other < 999; other++) {
    shares.learn(`m${other}`, 1, 1);
    shares.learn('often', 1, 3);
  }
  expect([shares.of('often'), shares.of('once')]).toEqual([2, null]);
});
