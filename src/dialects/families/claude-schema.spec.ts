import fc from 'fast-check';
import { claudeInputSchema, claudeSchema } from './claude-schema.js';

describe('schema', () => {
  test('what the grammar does not know is told in the description', () => {
    const schema = {
      type: 'object',
      properties: {
        age: { type: 'integer', minimum: 0, maximum: 150, description: 'In years.' },
        mail: { type: 'string', format: 'email' },
        code: { type: 'string', format: 'iban', pattern: '^[A-Z]' },
        tags: { type: 'array', items: { type: 'string' }, minItems: 2, uniqueItems: true },
      },
      required: ['age'],
    };
    expect(claudeSchema(schema)).toEqual({
      type: 'object',
      properties: {
        age: { type: 'integer', description: 'In years. (minimum: 0, maximum: 150)' },
        mail: { type: 'string', format: 'email' },
        code: { type: 'string', description: '(format: "iban", pattern: "^[A-Z]")' },
        tags: { type: 'array', items: { type: 'string' }, description: '(minItems: 2, uniqueItems: true)' },
      },
      required: ['age'],
      additionalProperties: false,
    });
  });

  test('keys keep their order, and a schema in the subset stays as it is', () => {
    const schema = {
      additionalProperties: false,
      properties: { b: { type: 'string' }, a: { enum: [1] } },
      required: ['b'],
      type: 'object',
    };
    expect(JSON.stringify(claudeSchema(schema))).toBe(JSON.stringify(schema));
  });

  test('oneOf is said as anyOf', () =>
    expect(claudeSchema({ oneOf: [{ type: 'string', minLength: 1 }, { type: 'null' }] })).toEqual({
      anyOf: [{ type: 'string', description: '(minLength: 1)' }, { type: 'null' }],
    }));

  test('nothing stands beside a reference but definitions', () =>
    expect(
      claudeSchema({
        $ref: '#/$defs/A',
        title: 'x',
        $defs: { A: { type: 'object', properties: { a: { $ref: '#/$defs/B', default: 1 } } }, B: { type: 'null' } },
      }),
    ).toEqual({
      $ref: '#/$defs/A',
      $defs: { A: { type: 'object', properties: { a: { $ref: '#/$defs/B' } }, additionalProperties: false }, B: { type: 'null' } },
    }));

  test.each([
    ['an object with free keys', { type: 'object', additionalProperties: { type: 'string' } }],
    ['an object of which nothing is known', { type: 'object', properties: { any: { type: 'object' } } }],
    ['keys by pattern', { type: 'object', patternProperties: { '^a': { type: 'string' } } }],
    [
      'a tree',
      { $ref: '#/$defs/N', $defs: { N: { type: 'object', properties: { next: { anyOf: [{ $ref: '#/$defs/N' }, { type: 'null' }] } } } } },
    ],
    ['a schema that holds itself', { type: 'object', properties: { self: { $ref: '#' } } }],
  ])('%s cannot be said', (_name, schema) => expect(claudeSchema(schema)).toBeNull());

  test('references that meet again and again take no longer than they are many', () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 60 }, (_, at) => [
        `D${at}`,
        { anyOf: [{ $ref: `#/$defs/D${at + 1}` }, { $ref: `#/$defs/D${at + 1}`, title: 'x' }] },
      ]),
    );
    expect(claudeSchema({ $ref: '#/$defs/D0', $defs: { ...$defs, D60: { type: 'null' } } })).not.toBeNull();
  });

  test('saying it twice changes nothing more', () => {
    const { node } = fc.letrec<{ node: Record<string, unknown>; leaf: Record<string, unknown> }>((tie) => ({
      leaf: fc.record(
        { type: fc.constantFrom('string', 'integer'), minimum: fc.nat(9), format: fc.constantFrom('uuid', 'iban') },
        { requiredKeys: ['type'] },
      ),
      node: fc.oneof(
        { maxDepth: 3 },
        tie('leaf'),
        fc.dictionary(fc.constantFrom('a', 'b'), tie('node'), { minKeys: 1 }).map((properties) => ({ type: 'object', properties })),
        tie('node').map((items) => ({ type: 'array', items, maxItems: 3 })),
      ),
    }));
    fc.assert(
      fc.property(node, (schema) => {
        const once = claudeSchema(schema)!;
        expect(claudeSchema(once)).toEqual(once);
      }),
    );
  });
});

describe('tool input', () => {
  test('no parameters are an empty object', () => expect(claudeInputSchema(null).schema).toEqual({ type: 'object', properties: {} }));

  test('a plain object stays as it is', () => {
    const schema = { $schema: 'x', type: 'object', properties: { a: {} } };
    expect(claudeInputSchema(schema)).toEqual({ schema, told: null });
  });

  test('a missing type is added', () => expect(claudeInputSchema({ properties: {} }).schema).toEqual({ properties: {}, type: 'object' }));

  test('alternatives at the root become one object, and are told', () => {
    const anyOf = [
      { properties: { a: { type: 'string' } }, required: ['a'] },
      { properties: { b: { type: 'string' } }, required: ['b'] },
    ];
    const { schema, told } = claudeInputSchema({ anyOf, properties: { c: {} } });
    expect(schema).toEqual({ type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' }, c: {} } });
    expect(told).toContain(JSON.stringify({ anyOf }));
  });
});
