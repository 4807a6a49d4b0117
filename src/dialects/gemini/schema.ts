import { WeirError } from '../../kernel/errors.js';
import { isObject, type JsonObject, listOf } from '../kit/json.js';
import { withLiteralsOf } from '../kit/json-literals.js';
import { table } from '../kit/table.js';

/** What Gemini's own schema form has of JSON Schema; the rest is unknown to it and refused. */
const KEPT = ['description', 'nullable', 'minItems', 'maxItems', 'minimum', 'maximum', 'minLength', 'maxLength', 'pattern', 'required'];
const FORMATS = table<string[]>({
  string: ['enum', 'date-time'],
  number: ['float', 'double'],
  integer: ['int32', 'int64'],
});

/**
 * A JSON Schema in the subset that models before 2.5 take: references put in place, `const` as an `enum` of one, `null` among the types as
 * `nullable`, several types as `anyOf`, no `additionalProperties`.
 * @param param the client's field, for the error.
 * @throws WeirError invalid_request when the schema refers to itself, which the subset cannot say.
 */
export function schemaSubset(schema: JsonObject, param: string): JsonObject {
  return new Subset(schema, param).of(schema, []);
}

/** References put in place can multiply. */
const MAX_NODES = 10_000;

class Subset {
  private nodes = 0;

  constructor(
    private readonly root: JsonObject,
    private readonly param: string,
  ) {}

  of(node: unknown, seen: string[]): JsonObject {
    if (++this.nodes > MAX_NODES)
      throw this.invalid('The schema is too large for this model. Use a newer Gemini model, or a smaller schema.');
    if (!isObject(node)) return { type: 'string' };
    const ref = node['$ref'];
    return typeof ref === 'string' ? this.referred(ref, node, seen) : withLiteralsOf(node, this.written(node, seen));
  }

  private written(node: JsonObject, seen: string[]): JsonObject {
    const alternatives = [...listOf(node['anyOf']), ...listOf(node['oneOf'])];
    if (alternatives.length > 0) return { ...kept(node), ...this.anyOf(alternatives, seen) };
    const types = typesOf(node);
    const named = types.filter((type) => type !== 'null');
    const nullable = named.length < types.length ? { nullable: true } : {};
    if (named.length > 1)
      return { ...kept(node), anyOf: named.map((type) => this.typed({ ...node, description: undefined }, type, seen)), ...nullable };
    return { ...this.typed(node, named[0] ?? 'string', seen), ...nullable };
  }

  private referred(ref: string, node: JsonObject, seen: string[]): JsonObject {
    if (seen.includes(ref))
      throw this.invalid(
        `The schema refers to itself ("${ref}"), which this model does not support. Use a newer Gemini model, or a schema without recursion.`,
      );
    const { $ref: _, ...beside } = node;
    return this.of({ ...this.target(ref), ...beside }, [...seen, ref]);
  }

  private target(ref: string): JsonObject {
    const steps = ref
      .replace(/^#\/?/, '')
      .split('/')
      .filter((step) => step !== '');
    let node: unknown = ref.startsWith('#') ? this.root : undefined;
    for (const step of steps) node = isObject(node) ? node[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
    if (!isObject(node)) throw this.invalid(`The schema refers to "${ref}", which it does not define.`);
    return node;
  }

  private anyOf(alternatives: unknown[], seen: string[]): JsonObject {
    const others = alternatives.filter((one) => !(isObject(one) && one['type'] === 'null'));
    const nullable = others.length < alternatives.length ? { nullable: true } : {};
    const written = others.map((one) => this.of(one, seen));
    return written.length === 1 ? { ...written[0], ...nullable } : { anyOf: written, ...nullable };
  }

  private typed(node: JsonObject, type: string, seen: string[]): JsonObject {
    const out: JsonObject = { type, ...kept(node) };
    const { format, properties, items } = node;
    if (typeof format === 'string' && FORMATS[type]?.includes(format)) out['format'] = format;
    const values = 'const' in node ? [node['const']] : listOf(node['enum']).filter((value) => value !== null);
    // Only texts can be enumerated.
    if (values.length > 0 && type === 'string') out['enum'] = values.map(String);
    if (type === 'object' && isObject(properties))
      out['properties'] = withLiteralsOf(
        properties,
        Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, this.of(property, seen)])),
      );
    if (type === 'array') out['items'] = this.of(items ?? {}, seen);
    return out;
  }

  private invalid(message: string): WeirError {
    return new WeirError('invalid_request', { param: this.param, message });
  }
}

function kept(node: JsonObject): JsonObject {
  return Object.fromEntries(KEPT.filter((key) => node[key] !== undefined).map((key) => [key, node[key]]));
}

/** No node may be without a type. */
function typesOf(node: JsonObject): string[] {
  const { type } = node;
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.filter((one) => typeof one === 'string');
  if (isObject(node['properties'])) return ['object'];
  if (node['items'] !== undefined) return ['array'];
  const value = 'const' in node ? node['const'] : listOf(node['enum'])[0];
  if (typeof value === 'number') return [Number.isInteger(value) ? 'integer' : 'number'];
  return [typeof value === 'boolean' ? 'boolean' : 'string'];
}

/**
 * A schema as models from 2.5 on take it: beside a `$ref` nothing may stand but names that begin with `$`. What else there is goes around it.
 * As of 2026-11, ai.google.dev/api/generate-content, responseJsonSchema.
 */
export function bareReferences(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema).map(([name, value]) => [name, bareIn(value)] as const);
  const isSame = entries.every(([name, value]) => value === schema[name]);
  const out = isSame ? schema : withLiteralsOf(schema, Object.fromEntries(entries));
  if (typeof out['$ref'] !== 'string') return out;
  const beside = entries.filter(([name]) => !name.startsWith('$'));
  if (beside.length === 0) return out;
  const bare = Object.fromEntries(entries.filter(([name]) => name.startsWith('$')));
  return 'anyOf' in out ? bare : withLiteralsOf(out, { ...Object.fromEntries(beside), anyOf: [bare] });
}

function bareIn(value: unknown): unknown {
  if (!Array.isArray(value)) return isObject(value) ? bareReferences(value) : value;
  const inner = value.map(bareIn);
  return inner.every((entry, index) => entry === value[index]) ? value : inner;
}
