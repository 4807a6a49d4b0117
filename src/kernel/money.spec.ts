import fc from 'fast-check';
import { formatUsd, parseUsd, usdNumber } from './money.js';

test('any amount survives being written and read again', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 9_000_000_000_000_000_000n }), (nano) => parseUsd(formatUsd(nano)) === nano));
});

test.each([
  ['1.00', 1_000_000_000n],
  ['0.000000001', 1n],
  ['12', 12_000_000_000n],
  ['0', 0n],
])('%s is read exactly', (text, nano) => expect(parseUsd(text)).toBe(nano));

test.each(['', '-1', '1e3', '1.0000000001', '1,00', ' 1', '.5', 'NaN', '99999999999'])('%j is not an amount', (text) =>
  expect(parseUsd(text)).toBeNull(),
);

test('amounts are written with two to nine decimals', () => {
  expect([0n, 1_000_000_000n, 1_500_000_000n, 1_250_000n, -250_000_000n].map(formatUsd)).toEqual([
    '0.00',
    '1.00',
    '1.50',
    '0.00125',
    '-0.25',
  ]);
  expect(usdNumber(1_250_000n)).toBe(0.00125);
});
