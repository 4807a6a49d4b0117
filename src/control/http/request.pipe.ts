import { type ArgumentMetadata, Injectable, StandardSchemaValidationPipe } from '@nestjs/common';
import { z } from 'zod';
import { WeirError } from '../../kernel/errors.js';
import { nearest } from '../../kernel/nearest.js';

/** Checks bodies and queries against the schema beside the parameter, and says what to do about the first fault. */
@Injectable()
export class RequestPipe extends StandardSchemaValidationPipe {
  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const given = metadata.type === 'query' ? withoutBrackets(value as Record<string, unknown>) : value;
    return super.transform(given as T, metadata);
  }

  /** Nest would take names such as `constructor` out before they are checked, and nobody would learn that they were not known. */
  protected override stripProtoKeys(): void {}

  /** @throws WeirError invalid_request */
  protected override validate<T>(value: unknown, schema: z.ZodType): { value: T } {
    checkStorable(value, []);
    const result = schema.safeParse(value, { error: phrase });
    if (result.success) return { value: result.data as T };
    throw refusalOf(result.error.issues, value, schema);
  }
}

const MAX_DEPTH = 64;
const PROTOTYPE = '__proto__';

/** Refuses what Postgres does not take, whatever the schema says of it. @throws WeirError invalid_request */
function checkStorable(value: unknown, path: readonly string[]): void {
  if (typeof value === 'string') return checkText(value, path);
  if (typeof value !== 'object' || value === null) return;
  if (path.length >= MAX_DEPTH)
    throw new WeirError('invalid_request', { message: `The request is nested more than ${MAX_DEPTH} levels deep.` });
  for (const [key, inner] of Object.entries(value)) {
    checkText(key, path);
    // Maps of names of the client's own would leave it out without a word.
    if (key === PROTOTYPE) throw unknownName([...path, key], null);
    checkStorable(inner, [...path, key]);
  }
}

function checkText(text: string, path: readonly string[]): void {
  const fault = text.includes('\0') ? 'the character NUL' : text.isWellFormed() ? null : 'half of a surrogate pair';
  if (fault === null) return;
  const param = path.join('.');
  throw new WeirError('invalid_request', {
    ...(param && { param }),
    message: `${param ? `"${param}"` : 'The request'} must not contain ${fault}.`,
  });
}

/** SDKs write lists in a query as `name[]=a&name[]=b`. */
const withoutBrackets = (query: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(query).map(([name, value]) => [name.replace(/\[\]$/, ''), value]));

/** Names in a refusal may come from the request, of any length. */
const MAX_SHOWN = 200;
const shown = (name: string): string => (name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}…` : name);

/** An unknown name goes first: it is often the misspelling of one that is then missing. */
function refusalOf(issues: z.core.$ZodIssue[], value: unknown, schema: z.ZodType): WeirError {
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys[0]!;
    return unknownName([...issue.path, unknown], nearest(unknown, namesAt(schema, issue.path)));
  }
  const param = shown(issue.path.join('.'));
  if (param === '') return new WeirError('invalid_request', { message: `The request ${issue.message}.` });
  return new WeirError('invalid_request', { param, message: `"${param}" ${isMissing(value, issue.path) ? 'is missing' : issue.message}.` });
}

function unknownName(path: PropertyKey[], near: string | null): WeirError {
  const param = shown(path.join('.'));
  return new WeirError('invalid_request', {
    param,
    message: `"${param}" is not known here. ${near ? `Did you mean "${near}"?` : 'Leave it out.'}`,
  });
}

/** The names that are known in the object a path leads to. */
function namesAt(schema: z.ZodType, path: PropertyKey[]): string[] {
  const object = path.reduce<unknown>(
    (at, key) => (at instanceof z.ZodObject ? unwrapped(at.shape[String(key)]) : undefined),
    unwrapped(schema),
  );
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return unwrapped(schema.unwrap());
  return schema instanceof z.ZodPipe ? unwrapped(schema.in) : schema;
}

const isMissing = (value: unknown, path: PropertyKey[]): boolean =>
  path.reduce((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value) === undefined;

const TYPE_NAMES: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'a JSON object',
  record: 'a JSON object',
};

/** What a value must be, to follow its name, where the schema has no words of its own for it. */
function phrase(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (!issue.path?.length) return 'must carry a JSON object, with "Content-Type: application/json"';
      return `must be ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return issue.origin === 'string' ? 'must not be empty' : `must ${measure(issue.origin, 'at least', issue.minimum)}`;
    case 'too_big':
      return `must ${measure(issue.origin, 'at most', issue.maximum)}`;
    case 'invalid_key':
      return `has a key that ${issue.issues[0]!.message}`;
    default:
      return 'is not valid';
  }
}

function measure(origin: string, bound: string, size: number | bigint): string {
  if (origin === 'string') return `have ${bound} ${size} characters`;
  if (origin === 'array') return `have ${bound} ${size} entries`;
  return `be ${bound} ${size}`;
}
