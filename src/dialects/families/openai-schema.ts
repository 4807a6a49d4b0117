import { isObject, type JsonObject, listOf } from '../kit/json.js';

/** A schema with more parts is not looked through. */
const MAX_NODES = 10_000;

/**
 * Whether OpenAI takes a schema as strict: every object names all of its properties as required, and allows no others. Anthropic's strict
 * schemas may have optional ones. As of 2026-11, platform.openai.com/docs/guides/structured-outputs.
 */
function fitsStrict(schema: JsonObject | null): boolean {
  const open: unknown[] = [schema ?? {}];
  for (let seen = 0; open.length > 0; seen++) {
    const node = open.pop();
    if (seen > MAX_NODES) return false;
    if (!isObject(node)) continue;
    const { type, properties, items, required, additionalProperties } = node;
    const isOfObjects = type === 'object' || listOf(type).includes('object') || isObject(properties);
    const names = Object.keys(isObject(properties) ? properties : {});
    if (isOfObjects && (additionalProperties !== false || !names.every((name) => listOf(required).includes(name)))) return false;
    for (const inner of [properties, node['$defs'], node['definitions']]) if (isObject(inner)) open.push(...Object.values(inner));
    open.push(items, ...listOf(node['anyOf']), ...listOf(node['allOf']), ...listOf(node['oneOf']));
  }
  return true;
}

/** What is sent as `strict`, for a schema that was made for another vendor's rules. @param warn gets what is lost. */
export function strictFor(
  strict: boolean | null,
  schema: JsonObject | null,
  name: string,
  warn: (warning: string) => void,
): boolean | null {
  if (strict !== true || fitsStrict(schema)) return strict;
  warn(`"${name}" was not sent as strict: this provider wants every property to be required, and no others to be allowed.`);
  return false;
}
