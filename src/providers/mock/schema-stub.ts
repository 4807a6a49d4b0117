import { Effort } from './effort.js';
import { textFor } from './pattern-text.js';

interface Schema {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  allOf?: unknown[];
  anyOf?: unknown[];
  oneOf?: unknown[];
  properties?: Record<string, unknown>;
  required?: string[];
  items?: unknown;
  prefixItems?: unknown[];
  minItems?: number;
  uniqueItems?: boolean;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
}

const TEXT_BY_FORMAT: Record<string, string> = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  time: '00:00:00Z',
  duration: 'PT1S',
  email: 'mock@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/** How many references may lead to one value. */
const MAX_REFS = 32;

/** No value can be given here: the schema asks for itself, without end. */
class Endless extends Error {}

/**
 * A small value that a JSON schema accepts, always the same; null where there is none. References are looked up in the schema itself. A keyword
 * whose value is not of its kind is passed over.
 * @throws TooMuch
 */
export function stubFor(schema: unknown): unknown {
  try {
    return new Stub(schema).of(schema, []);
  } catch (error) {
    if (error instanceof Endless) return null;
    throw error;
  }
}

class Stub {
  private readonly effort = new Effort();

  constructor(private readonly root: unknown) {}

  /** @param refs the references followed on the way here. @param nth of several values that differ, this one. */
  of(given: unknown, refs: readonly string[], nth = 0): unknown {
    const { $ref, ...own } = this.read(given);
    if ($ref !== undefined) {
      if (refs.includes($ref) || refs.length === MAX_REFS) throw new Endless();
      return this.of({ ...this.read(this.lookUp($ref)), ...own }, [...refs, $ref], nth);
    }
    const schema = own.allOf ? this.merged(own, refs) : own;
    if (schema.const !== undefined) return this.written(schema.const);
    if (schema.enum?.length) return this.written(schema.enum[nth % schema.enum.length]);
    const alternatives = schema.anyOf ?? schema.oneOf;
    if (alternatives?.length) return this.first(schema, alternatives, refs, nth);
    switch (typeOf(schema)) {
      case 'string':
        return this.text(schema, nth);
      case 'integer':
        return numberOf(schema, schema.multipleOf ?? 1, nth);
      case 'number':
        return numberOf(schema, schema.multipleOf ?? null, nth);
      case 'boolean':
        return nth % 2 === 0;
      case 'null':
        return null;
      case 'array':
        return this.list(schema, refs);
      default:
        return this.object(schema, refs, nth);
    }
  }

  private read(given: unknown): Schema {
    this.effort.step();
    return schemaOf(given);
  }

  private written<Value>(value: Value): Value {
    this.effort.write(JSON.stringify(value).length);
    return value;
  }

  private together(a: Schema, b: Schema): Schema {
    for (const { properties = {}, required = [] } of [a, b]) this.effort.step(Object.keys(properties).length + required.length);
    return together(a, b);
  }

  /** What is asked for beside the alternatives holds for each of them. */
  private first({ anyOf: _any, oneOf: _one, ...beside }: Schema, alternatives: unknown[], refs: readonly string[], nth: number): unknown {
    for (const alternative of alternatives) {
      try {
        return this.of(this.together(beside, this.read(alternative)), refs, nth);
      } catch (error) {
        if (!(error instanceof Endless)) throw error;
      }
    }
    throw new Endless();
  }

  private merged({ allOf = [], ...own }: Schema, refs: readonly string[]): Schema {
    return allOf.reduce<Schema>((sum, part) => {
      const { $ref, ...rest } = this.read(part);
      if ($ref !== undefined && refs.includes($ref)) throw new Endless();
      const whole = $ref === undefined ? rest : this.together(this.read(this.lookUp($ref)), rest);
      return this.together(sum, whole.allOf ? this.merged(whole, $ref === undefined ? refs : [...refs, $ref]) : whole);
    }, own);
  }

  private list({ items, prefixItems = [], minItems = 0, uniqueItems = false }: Schema, refs: readonly string[]): unknown[] {
    const length = Math.max(minItems, prefixItems.length);
    this.effort.step(length);
    return Array.from({ length }, (_, at) => this.of(prefixItems[at] ?? items, refs, uniqueItems ? at : 0));
  }

  private object({ properties = {}, required }: Schema, refs: readonly string[], nth: number): Record<string, unknown> {
    const wanted = required ?? Object.keys(properties);
    this.effort.step(wanted.length);
    const schemaNamed = (name: string) => (Object.hasOwn(properties, name) ? properties[name] : undefined);
    return Object.fromEntries(wanted.map((name) => [this.written(name), this.of(schemaNamed(name), refs, nth)]));
  }

  private text({ format = '', pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: Schema, nth: number): string {
    if (pattern !== undefined) return this.written(textFor(pattern));
    this.effort.write(minLength);
    const known = Object.hasOwn(TEXT_BY_FORMAT, format) ? TEXT_BY_FORMAT[format]! : null;
    return (known ?? `mock${nth === 0 ? '' : nth}`.padEnd(minLength, '.')).slice(0, maxLength);
  }

  /** `#/$defs/name`, or any other place in the same schema. */
  private lookUp(reference: string): unknown {
    if (!reference.startsWith('#')) throw new Endless();
    this.effort.step(reference.length);
    const steps = reference.slice(1).split('/').filter(Boolean);
    return steps.reduce<unknown>((at, step) => {
      const name = unescaped(step).replaceAll('~1', '/').replaceAll('~0', '~');
      return typeof at === 'object' && at !== null && Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined;
    }, this.root);
  }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string';
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isList = Array.isArray;

/** The keywords that are read, and of which kind their values have to be. */
const KEYWORDS: Readonly<Record<keyof Schema, (value: unknown) => boolean>> = {
  $ref: isText,
  type: (value) => isText(value) || isTexts(value),
  const: (value) => value !== undefined,
  enum: isList,
  allOf: isList,
  anyOf: isList,
  oneOf: isList,
  properties: isObject,
  required: isTexts,
  items: (value) => value !== undefined,
  prefixItems: isList,
  minItems: isCount,
  uniqueItems: (value) => typeof value === 'boolean',
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  multipleOf: (value) => isNumber(value) && (value as number) > 0,
  minLength: isCount,
  maxLength: isCount,
  pattern: isText,
  format: isText,
};

function schemaOf(given: unknown): Schema {
  if (!isObject(given)) return {};
  const values = given as Record<string, unknown>;
  return Object.fromEntries(Object.entries(KEYWORDS).flatMap(([name, fits]) => (fits(values[name]) ? [[name, values[name]]] : [])));
}

/** As it is, where it is no valid escape. */
function unescaped(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

function together(a: Schema, b: Schema): Schema {
  const sum = { ...a, ...b };
  if (a.properties && b.properties) sum.properties = { ...a.properties, ...b.properties };
  if (a.required && b.required) sum.required = [...new Set([...a.required, ...b.required])];
  return sum;
}

function typeOf({ type, properties, items, prefixItems }: Schema): string {
  if (type !== undefined) return Array.isArray(type) ? (type[0] ?? 'null') : type;
  return properties === undefined && (items !== undefined || prefixItems !== undefined) ? 'array' : 'object';
}

/** The least number from 1 on that fits, or else the least that fits at all. @param step null: any. */
function numberOf(schema: Schema, step: number | null, nth: number): number {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
  const { exclusiveMinimum: above = Number.NEGATIVE_INFINITY, exclusiveMaximum: below = Number.POSITIVE_INFINITY } = schema;
  const fits = (value: number) => value >= minimum && value <= maximum && value > above && value < below;
  const low = Math.max(minimum, above);
  const high = Math.min(maximum, below);
  if (step === null) {
    const between = [1 + nth, low + 1, high - 1, low, high, (low + high) / 2];
    return between.find((value) => Number.isFinite(value) && fits(value)) ?? 0;
  }
  const from = low > 1 ? Math.ceil(low / step) : high < 1 ? Math.floor(high / step) : Math.ceil(1 / step);
  const near = [nth, 0, 1, -1].map((offset) => (from + offset) * step);
  return near.find(fits) ?? 0;
}
