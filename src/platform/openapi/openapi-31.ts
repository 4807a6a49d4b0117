import { z } from 'zod';
import { ERRORS } from '../../kernel/errors.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** What every OpenAPI document of Weir says about itself, beside its title. */
export const SHARED_INFO = {
  version: '1',
  license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
};

/** The address that the document was read from. */
export const SERVERS = [{ url: '/', description: 'This installation.' }];

/** `components.schemas` of what has an `id` in its metadata; each is a JSON Schema that refers to the others. */
export function componentsOf(schemas: readonly z.ZodType[]): JsonObject {
  const registry = z.registry<{ id: string }>();
  for (const schema of new Set(schemas)) registry.add(schema, { id: idOf(schema) });
  const made = z.toJSONSchema(registry, { target: 'draft-2020-12', io: 'output', uri: pathOf }).schemas as Record<string, JsonObject>;
  return Object.fromEntries(Object.entries(made).map(([id, { $schema: _, $id: __, id: ___, ...schema }]) => [id, schema]));
}

/** A reference to a schema that has an `id` in its metadata. */
export const referenceTo = (schema: z.ZodType): JsonObject => ({ $ref: pathOf(idOf(schema)) });

const idOf = (schema: z.ZodType): string => schema.meta()!['id'] as string;
const pathOf = (id: string): string => `#/components/schemas/${id}`;

/** Rewrites what OpenAPI 3.0 says with `nullable` as JSON Schema does. */
export function withoutNullable(node: Json): Json {
  if (Array.isArray(node)) return node.map(withoutNullable);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([key, value]): [string, Json] => [key, withoutNullable(value)]);
  const { nullable, ...schema } = Object.fromEntries(entries);
  if (nullable !== true) return Object.fromEntries(entries);
  if (typeof schema['type'] === 'string') {
    const values = schema['enum'];
    return { ...schema, type: [schema['type'], 'null'], ...(Array.isArray(values) && { enum: [...new Set([...values, null])] }) };
  }
  const { anyOf, allOf, ...rest } = schema;
  return { ...rest, anyOf: [...((anyOf ?? allOf ?? []) as Json[]), { type: 'null' }] };
}

/** What each status of a refusal means, on any route of either listener. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The request is not valid. `param` names the field.',
  401: 'The key is missing or not valid.',
  402: 'A budget or a cost limit does not allow the call. It was not sent.',
  403: 'The key may not do that.',
  404: 'There is no such thing, or the key may not see it.',
  409: 'It conflicts with what is there: `message` says how.',
  410: 'The tenant was deleted.',
  412: 'It was changed since that ETag was read.',
  413: 'The request is too large.',
  415: 'The body is not JSON.',
  422: 'The request is well-formed, but cannot be done as it is.',
  429: 'A rate limit is reached. `retry-after` says when to try again.',
  500: 'Weir failed. The log has the cause, under the id in `x-request-id`.',
  502: 'The provider failed or cannot be reached.',
  503: 'Weir cannot take the request now. `retry-after` says when to try again.',
  504: 'The provider did not answer in time.',
};

/** Headers of refusals, on any route of either listener. */
const REFUSAL_HEADERS = {
  'x-request-id': 'The id of the request. The log has it.',
  'x-should-retry': '`false`: the same request is refused again. `true`: it may succeed later.',
  'retry-after': 'Seconds to wait before the request is sent again.',
};

const WAITS: ReadonlySet<number> = new Set(
  Object.values(ERRORS).flatMap(({ status, retryAfterSeconds }) => (retryAfterSeconds ? [status] : [])),
);

/** `components.headers`: those of refusals, and what else a document has, with a sentence for each. */
export const headerComponents = (others: Readonly<Record<string, string>>): JsonObject =>
  Object.fromEntries(
    Object.entries({ ...REFUSAL_HEADERS, ...others }).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  );

/** The headers of a response, each of `components.headers`. */
export const headersNamed = (names: readonly string[]): JsonObject =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** Refusals of a route, each in the shape of `schema`, an object of `components.schemas`. @param headers what they may have beside those of all refusals. */
export const refusals = (statuses: readonly number[], schema: string, headers: readonly string[] = []): JsonObject =>
  Object.fromEntries(
    statuses.map((status) => [
      String(status),
      {
        description: REFUSALS[status]!,
        headers: headersNamed(['x-request-id', 'x-should-retry', ...(WAITS.has(status) ? ['retry-after'] : []), ...headers]),
        content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
      },
    ]),
  );
