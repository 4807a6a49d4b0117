import { isObject as isRecord, type JsonObject as Schema, writeJson, writeMember } from '../kit/json.js';
import { withLiteralsOf } from '../kit/json-literals.js';

/** What the vendor's grammars for structured output and strict tools take. As of 2026-11-12. */
const KEPT = new Set(
  '$defs additionalProperties allOf anyOf const default definitions description enum format items properties required title type'.split(
    ' ',
  ),
);
const KEPT_FORMATS = new Set('date-time time date duration email hostname uri ipv4 ipv6 uuid'.split(' '));
/** Of no weight to a model. */
const SILENT = new Set(['$schema', '$id', '$comment', 'examples']);

/**
 * A JSON schema in the subset that Claude's grammars take; what they do not know is told in the description instead, so that the model
 * still reads it. Null when leaving something out would change which answers are possible: free keys and recursion.
 */
export function claudeSchema(schema: Schema): Schema | null {
  if (isRecursive(schema)) return null;
  try {
    return rewrite(schema);
  } catch (error) {
    if (error instanceof Inexpressible) return null;
    throw error;
  }
}

class Inexpressible extends Error {}

function rewrite(schema: Schema): Schema {
  // Nothing may stand beside a reference.
  if (typeof schema['$ref'] === 'string') return { $ref: schema['$ref'], ...definitions(schema) };
  if (schema['patternProperties'] !== undefined) throw new Inexpressible();
  const out: Schema = {};
  const told: string[] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'oneOf') out['anyOf'] = children(value);
    else if (key === 'anyOf' || key === 'allOf') out[key] = children(value);
    else if (key === 'items') out[key] = child(value);
    else if (key === 'properties' || key === '$defs' || key === 'definitions') out[key] = childrenByName(value);
    else if (isKept(key, value)) out[key] = value;
    else if (!SILENT.has(key)) told.push(`${key}: ${writeMember(schema, key)}`);
  }
  if (isObject(schema)) close(schema, out);
  if (told.length > 0) out['description'] = [schema['description'], `(${told.join(', ')})`].filter(Boolean).join(' ');
  return withLiteralsOf(schema, out);
}

const isKept = (key: string, value: unknown): boolean => {
  if (key === 'format') return typeof value === 'string' && KEPT_FORMATS.has(value);
  if (key === 'minItems') return value === 0 || value === 1;
  return KEPT.has(key);
};

/** Objects have the keys that are named, and no others. */
function close(schema: Schema, out: Schema): void {
  const free = schema['additionalProperties'];
  const named = isRecord(schema['properties']) && Object.keys(schema['properties']).length > 0;
  const composed = ['anyOf', 'oneOf', 'allOf'].some((key) => key in schema);
  if (isRecord(free) || (!named && !composed && free !== false)) throw new Inexpressible();
  out['additionalProperties'] = false;
}

const isObject = (schema: Schema): boolean => {
  const { type } = schema;
  return type === 'object' || (Array.isArray(type) && type.includes('object')) || 'properties' in schema;
};

const definitions = (schema: Schema): Schema =>
  Object.fromEntries(['$defs', 'definitions'].flatMap((key) => (key in schema ? [[key, childrenByName(schema[key])]] : [])));

const child = (value: unknown): unknown => (isRecord(value) ? rewrite(value) : value);
const children = (value: unknown): unknown => (Array.isArray(value) ? value.map(child) : value);
const childrenByName = (value: unknown): unknown =>
  isRecord(value) ? withLiteralsOf(value, Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, child(schema)]))) : value;

/** Whether following references leads back to where one has been. */
function isRecursive(root: Schema): boolean {
  const open = new Set<string>(['#']);
  const settled = new Set<string>();
  const leadsBack = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.some(leadsBack);
    if (!isRecord(node)) return false;
    const ref = node['$ref'];
    if (typeof ref === 'string' && !settled.has(ref)) {
      if (open.has(ref)) return true;
      open.add(ref);
      if (leadsBack(target(root, ref))) return true;
      open.delete(ref);
      settled.add(ref);
    }
    return Object.entries(node).some(([key, value]) => key !== '$defs' && key !== 'definitions' && leadsBack(value));
  };
  return leadsBack(root);
}

/** What a reference inside the schema points at. */
function target(root: Schema, ref: string): unknown {
  const steps = ref.split('/').slice(1);
  return steps.reduce<unknown>((node, step) => (isRecord(node) ? node[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined), root);
}

/**
 * The schema of a tool's input, whose root must be a plain object. Alternatives at the root become one object with the keys of all; what
 * each demands is told in the description, as the model is to keep to one of them.
 */
export function claudeInputSchema(parameters: Schema | null): { schema: Schema; told: string | null } {
  if (parameters === null) return { schema: { type: 'object', properties: {} }, told: null };
  const { anyOf, oneOf, allOf, ...rest } = parameters;
  const composed = { ...(anyOf !== undefined && { anyOf }), ...(oneOf !== undefined && { oneOf }), ...(allOf !== undefined && { allOf }) };
  const branches = Object.values(composed).flat().filter(isRecord);
  if (Object.keys(composed).length === 0) {
    const isOfObject = parameters['type'] === 'object';
    return { schema: isOfObject ? parameters : { ...parameters, type: 'object' }, told: null };
  }
  const properties = Object.fromEntries(
    [...branches, rest].flatMap((branch) => (isRecord(branch['properties']) ? Object.entries(branch['properties']) : [])),
  );
  return {
    schema: { ...rest, type: 'object', properties },
    told: `The input must also match this JSON schema: ${writeJson(composed)}`,
  };
}
