import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { textFor } from './pattern-text.js';
import { stubFor } from './schema-stub.js';

const ajv = new Ajv2020({ strict: false, logger: false, ownProperties: true });

const scalar = fc.oneof(
  fc.record({ type: fc.constant('string'), minLength: fc.nat(20) }),
  fc.tuple(fc.nat(8), fc.nat(8)).map(([minLength, more]) => ({ type: 'string', minLength, maxLength: minLength + more })),
  fc
    .constantFrom('^[A-Z]{2}-\\d{3,5}$', '^(red|green)+$', '^\\w+@[^@\\s]+\\.[a-z]{2,}$', '^[^a-c]x?$')
    .map((pattern) => ({ type: 'string', pattern })),
  fc.constantFrom('date', 'email', 'uuid').map((format) => ({ type: 'string', format })),
  fc
    .tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat(100))
    .map(([minimum, more]) => ({ type: 'integer', minimum, maximum: minimum + more })),
  fc
    .tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 2, max: 9 }))
    .map(([minimum, multipleOf]) => ({ type: 'integer', minimum, multipleOf })),
  fc.tuple(fc.double({ min: -9, max: 9, noNaN: true }), fc.double({ min: 0.1, max: 9, noNaN: true })).map(([low, more]) => ({
    ...{ type: 'number', exclusiveMinimum: low, exclusiveMaximum: low + more },
  })),
  fc.constantFrom({ type: 'boolean' }, { type: 'null' }, { type: ['null', 'string'] }, { const: { a: 1 } }, {}),
  fc.uniqueArray(fc.oneof(fc.string(), fc.integer(), fc.boolean()), { minLength: 1 }).map((values) => ({ enum: values })),
);

/** Not `toString`: the checker itself stumbles over objects that have one. */
const NAMES = ['a', 'b', 'hasOwnProperty', 'constructor', 'ä/ö~'];

const { schema } = fc.letrec<{ schema: object }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.nat(3) }),
    fc.record({ type: fc.constant('array'), items: fc.constant({ type: 'integer' }), minItems: fc.nat(3), uniqueItems: fc.constant(true) }),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc
      .array(tie('schema'), { minLength: 1, maxLength: 3 })
      .map((prefixItems) => ({ type: 'array', prefixItems, minItems: prefixItems.length })),
    fc.uniqueArray(fc.constantFrom(...NAMES)).chain((names) =>
      fc.record({
        type: fc.constant('object'),
        properties: fc
          .tuple(...names.map(() => tie('schema')))
          .map((inner) => Object.fromEntries(inner.map((one, at) => [names[at]!, one]))),
        required: fc.subarray(names),
        additionalProperties: fc.constant(false),
      }),
    ),
    tie('schema').map((inner) => ({ allOf: [inner] })),
  ),
}));

const accepts = (given: object, value: unknown): void => {
  const valid = ajv.validate(given, value);
  if (!valid) throw new Error(`${JSON.stringify(given)} does not accept ${JSON.stringify(value)}: ${ajv.errorsText()}`);
};

test('the stub of any schema is accepted by an independent checker', () => {
  fc.assert(
    fc.property(schema, (given) => accepts(given, stubFor(given))),
    { numRuns: 300 },
  );
});

test('the same schema has the same stub', () => {
  fc.assert(fc.property(schema, (given) => expect(stubFor(given)).toEqual(stubFor(structuredClone(given)))));
});

test.each<[string, object]>([
  [
    'a reference',
    {
      $defs: { seat: { type: 'integer', minimum: 2 } },
      type: 'object',
      properties: { seat: { $ref: '#/$defs/seat' } },
      required: ['seat'],
    },
  ],
  [
    'a list that may end',
    {
      $defs: {
        node: { type: 'object', properties: { next: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] } }, required: ['next'] },
      },
      $ref: '#/$defs/node',
    },
  ],
  ['a tree', { type: 'object', properties: { children: { type: 'array', items: { $ref: '#' } } }, required: ['children'] }],
  [
    'parts',
    {
      allOf: [
        { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
        { properties: { b: { const: 1 } }, required: ['b'] },
      ],
    },
  ],
  ['a choice beside fields', { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], anyOf: [{ required: ['b'] }] }],
])('%s is stubbed', (_, given) => accepts(given, stubFor(given)));

test('a schema that nothing can satisfy, or that is none, ends all the same', () => {
  const endless = { $defs: { a: { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, required: ['a'] } }, $ref: '#/$defs/a' };
  expect([stubFor(endless), stubFor({ allOf: [{ $ref: '#' }] }), stubFor({ $ref: 'https://elsewhere' })]).toEqual([null, null, null]);
  expect([stubFor(null), stubFor('text'), stubFor({ $ref: '#/nowhere' })]).toEqual([{}, {}, {}]);
});

test.each(['^a+b*c?$', '[a-f0-9]{8}-[^x]', '(?:yes|no)(?!maybe)', '(?<year>\\d{4})-\\d\\d', '\\(\\d+\\)', '^[\\w.]+$', '^.{3,9}$'])(
  'what is made of %s matches it',
  (pattern) => expect(textFor(pattern)).toMatch(new RegExp(pattern)),
);

test('reading a pattern ends, whatever it is', () => {
  fc.assert(fc.property(fc.string(), (pattern) => expect(textFor(pattern)).toEqual(expect.any(String))));
});
