import fc from 'fast-check';
import { rulesOf } from '../../model-rules/index.js';
import type { Tool, ToolChoice } from '../canonical.js';
import { schemaSubset } from './schema.js';
import { encodeFormat, encodeTools, geminiToolNames } from './tools.js';

const tool = (name: string, more: Partial<Tool> = {}): Tool => ({ name, description: null, parameters: null, strict: null, ...more });
const encode = (tools: Tool[], toolChoice: ToolChoice | null = null, model = 'gemini-3.7-flash') => {
  const names = geminiToolNames();
  // biome-ignore lint/suspicious/noExplicitAny: a JSON document
  const { tools: declared, toolConfig }: any = encodeTools({ tools, toolChoice }, rulesOf(model).gemini, names);
  return { declared: declared?.[0].functionDeclarations, config: toolConfig?.functionCallingConfig, changed: names.changed };
};

const SCHEMA = { type: 'object', properties: { b: { type: 'string' }, a: { type: 'integer' } }, required: ['b'] };

describe('tools', () => {
  test('carry their schema as it is, its keys in their order', () => {
    const { declared } = encode([tool('f', { description: 'does f', parameters: SCHEMA })]);
    expect(JSON.stringify(declared)).toBe(JSON.stringify([{ name: 'f', description: 'does f', parametersJsonSchema: SCHEMA }]));
  });

  test('of old models carry the subset, and no parameters where there are none', () => {
    const { declared } = encode(
      [tool('f', { parameters: SCHEMA }), tool('g', { parameters: { type: 'object', properties: {} } })],
      null,
      'gemini-2.0-flash',
    );
    expect(declared).toEqual([{ name: 'f', parameters: { ...SCHEMA } }, { name: 'g' }]);
  });

  test('are refused where a model makes images', () => {
    expect(() => encode([tool('f')], null, 'gemini-2.5-flash-image')).toThrow('cannot call tools');
  });

  test.each<[ToolChoice | null, object | undefined]>([
    [null, undefined],
    [{ type: 'auto' }, { mode: 'AUTO' }],
    [{ type: 'none' }, { mode: 'NONE' }],
    [{ type: 'required' }, { mode: 'ANY' }],
    [
      { type: 'tool', name: 'f' },
      { mode: 'ANY', allowedFunctionNames: ['f'] },
    ],
    [
      { type: 'allowed', names: ['f'], required: true },
      { mode: 'ANY', allowedFunctionNames: ['f'] },
    ],
    [
      { type: 'allowed', names: ['f'], required: false },
      { mode: 'VALIDATED', allowedFunctionNames: ['f'] },
    ],
  ])('the choice %j is told', (choice, config) => {
    expect(encode([tool('f'), tool('g')], choice).config).toEqual(config);
  });

  test('strict ones are validated', () => {
    expect(encode([tool('f', { strict: true })]).config).toEqual({ mode: 'VALIDATED' });
    expect(encode([tool('f', { strict: true })], null, 'gemini-2.0-flash').config).toBeUndefined();
  });

  test('that may not be used are not shown to models that cannot be told so', () => {
    const { declared, config } = encode([tool('f'), tool('g')], { type: 'allowed', names: ['f'], required: false }, 'gemini-2.0-flash');
    expect(declared).toEqual([{ name: 'f' }]);
    expect(config).toEqual({ mode: 'AUTO' });
  });

  test('with names that Gemini refuses get others, which lead back', () => {
    const { declared, config, changed } = encode([tool('1 bad/name')], { type: 'tool', name: '1 bad/name' });
    const sent = declared[0].name;
    expect(sent).toMatch(/^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/);
    expect(config.allowedFunctionNames).toEqual([sent]);
    expect(changed).toEqual(new Map([[sent, '1 bad/name']]));
  });
});

describe('structured output', () => {
  const format = { type: 'json_schema', name: 'x', description: null, schema: SCHEMA, strict: true } as const;

  test('is asked for by its schema, or as any JSON', () => {
    const json = { responseMimeType: 'application/json' };
    expect(encodeFormat(format, true, rulesOf('gemini-3.7-flash').gemini)).toEqual({ ...json, responseJsonSchema: SCHEMA });
    expect(encodeFormat(format, false, rulesOf('gemini-2.0-flash').gemini)).toEqual({ ...json, responseSchema: SCHEMA });
    expect(encodeFormat({ type: 'json' }, false, rulesOf('gemini-2.5-flash').gemini)).toEqual(json);
  });

  test('beside tools is refused for models before Gemini 3, which would refuse it', () => {
    expect(() => encodeFormat(format, true, rulesOf('gemini-2.5-flash').gemini)).toThrow('Before Gemini 3');
  });
});

describe('the schema of old models', () => {
  const subset = (schema: Record<string, unknown>) => schemaSubset(schema, 'tools[0]');

  test.each<[string, Record<string, unknown>, object]>([
    ['drops what it does not know', { $schema: 'x', title: 'T', type: 'object', additionalProperties: false }, { type: 'object' }],
    ['says a constant as a list of one', { const: 'a' }, { type: 'string', enum: ['a'] }],
    ['says null as nullable', { type: ['string', 'null'] }, { type: 'string', nullable: true }],
    ['says several types as alternatives', { type: ['string', 'integer'] }, { anyOf: [{ type: 'string' }, { type: 'integer' }] }],
    ['takes null out of alternatives', { anyOf: [{ type: 'string' }, { type: 'null' }] }, { type: 'string', nullable: true }],
    ['keeps a format it knows', { type: 'string', format: 'date-time' }, { type: 'string', format: 'date-time' }],
    ['drops one that it does not', { type: 'string', format: 'email' }, { type: 'string' }],
    ['gives each node a type', { properties: { a: {} } }, { type: 'object', properties: { a: { type: 'string' } } }],
    ['gives a list its entries', { type: 'array' }, { type: 'array', items: { type: 'string' } }],
    [
      'puts references in their place',
      { type: 'object', properties: { a: { $ref: '#/$defs/A' } }, $defs: { A: { type: 'integer' } } },
      { type: 'object', properties: { a: { type: 'integer' } } },
    ],
  ])('%s', (_what, schema, written) => {
    expect(subset(schema)).toEqual(written);
  });

  test('refuses one that refers to itself, to nothing, or grows without bounds', () => {
    expect(() => subset({ $ref: '#' })).toThrow('refers to itself');
    expect(() => subset({ $ref: '#/$defs/none' })).toThrow('does not define');
    const defs = Object.fromEntries(
      Array.from({ length: 30 }, (_, at) => [`d${at}`, { anyOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] }]),
    );
    expect(() => subset({ $ref: '#/$defs/d0', $defs: { ...defs, d30: { type: 'string' } } })).toThrow('too large');
  });

  test('is written for any schema, and each node of it has a type or alternatives', () => {
    const typed = (node: unknown): boolean => {
      const { type, anyOf, properties, items } = node as Record<string, unknown>;
      const below = [...((anyOf as unknown[]) ?? []), ...Object.values((properties as object) ?? {}), ...(items ? [items] : [])];
      return (type !== undefined || anyOf !== undefined) && below.every(typed);
    };
    const types = fc.constantFrom<unknown>('string', 'object', 'array', ['integer', 'null'], 7);
    const { schema } = fc.letrec((tie) => ({
      schema: fc.oneof({ maxDepth: 3 }, fc.record({ type: types }), tie('node')),
      node: fc.record(
        {
          type: types,
          properties: fc.dictionary(fc.string(), tie('schema'), { maxKeys: 2 }),
          items: tie('schema'),
          anyOf: fc.array(tie('schema'), { maxLength: 2 }),
          enum: fc.array(fc.string(), { maxLength: 2 }),
        },
        { requiredKeys: [] },
      ),
    }));
    fc.assert(fc.property(schema, (node) => expect(typed(subset(node as Record<string, unknown>))).toBe(true)));
  });
});
