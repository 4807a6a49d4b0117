import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signAws } from './sigv4.js';

interface Vector {
  name: string;
  method: string;
  path: string;
  headers: string[];
  body: string;
  sessionToken: string | null;
  authorization: string;
}

const { cases } = JSON.parse(readFileSync(join(__dirname, 'sigv4-vectors.json'), 'utf8')) as { cases: Vector[] };
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const SCOPE = { region: 'us-east-1', service: 'service' };
const AT = new Date('2015-08-30T12:36:00Z');

test.each(cases.map((vector) => [vector.name, vector] as const))('%s of the vendor’s test suite is signed as there', (_name, vector) => {
  const headers = signAws(vector, { ...KEYS, sessionToken: vector.sessionToken }, SCOPE, AT);
  expect(headers).toEqual([
    'x-amz-date',
    '20150830T123600Z',
    ...(vector.sessionToken === null ? [] : ['x-amz-security-token', vector.sessionToken]),
    'authorization',
    vector.authorization,
  ]);
});

test('what is escaped on the wire is escaped once more in what is signed', () => {
  const sign = (path: string) =>
    signAws({ method: 'POST', path, headers: ['host', 'example.amazonaws.com'], body: '{}' }, { ...KEYS, sessionToken: null }, SCOPE, AT);
  expect(sign('/model/a%3A0/converse')).not.toEqual(sign('/model/a:0/converse'));
});
