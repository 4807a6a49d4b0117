import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '../src/kernel/errors.js';

/** Rows of the tables of docs/errors.md, as `status code`. */
const described = readFileSync(join(__dirname, '..', 'docs/errors.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, status, codes = ''] = /^\| (\d{3}) \| ([^|]*) \|/.exec(line) ?? [];
    return [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => `${status} ${code}`);
  });

test('the page of errors has every code once, with its status', () => {
  const codes = Object.entries(ERRORS).map(([code, { status }]) => `${status} ${code}`);
  expect(described.toSorted()).toEqual(codes.toSorted());
});
