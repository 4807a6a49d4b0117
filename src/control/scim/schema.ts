import { z } from 'zod';
import { WeirError } from '../../kernel/errors.js';
import { emailOf } from '../../people/index.js';
import { externalId, text } from '../http/fields.js';
import { email } from '../people/schema.js';

const MAX_OPERATIONS = 100;
const MAX_COUNT = 200;

/** Entra ID sends `"False"`. */
const active = z.preprocess(
  (given) => (typeof given === 'string' && /^(true|false)$/i.test(given) ? given.toLowerCase() === 'true' : given),
  z.boolean(),
);
const names = text(255).nullish();

/** A user as directories send it, with much that is not kept here. */
export const ScimUser = z.looseObject({
  userName: email.transform(emailOf),
  externalId: externalId.nullish(),
  displayName: names,
  name: z.looseObject({ formatted: names, givenName: names, familyName: names }).nullish(),
  active: active.default(true),
});
export type ScimUser = z.output<typeof ScimUser>;

const Changes = z.strictObject({
  userName: ScimUser.shape.userName.optional(),
  externalId: externalId.nullable().optional(),
  displayName: text(255).min(1).optional(),
  active: active.optional(),
});

/** What may be changed, by its path in lower case. Directories change more, which is not kept here. */
const PATHS: Readonly<Record<string, keyof typeof Changes.shape>> = {
  username: 'userName',
  externalid: 'externalId',
  displayname: 'displayName',
  'name.formatted': 'displayName',
  active: 'active',
};

export const PatchUser = z.looseObject({
  Operations: z
    .array(
      z.looseObject({
        op: z
          .string()
          .toLowerCase()
          .pipe(z.enum(['add', 'replace', 'remove'])),
        path: text(255).optional(),
        value: z.unknown().optional(),
      }),
    )
    .min(1)
    .max(MAX_OPERATIONS),
});
export type PatchUser = z.output<typeof PatchUser>;

/** What the operations come to. @throws WeirError invalid_request */
export function changesIn({ Operations }: PatchUser): z.output<typeof Changes> {
  const changed: Record<string, unknown> = {};
  for (const { op, path, value } of Operations) {
    const whole = typeof value === 'object' && value !== null ? value : {};
    const entries = path === undefined ? Object.entries(whole) : [[path, value] as const];
    for (const [at, given] of entries) {
      const name = Object.hasOwn(PATHS, at.toLowerCase()) ? PATHS[at.toLowerCase()]! : null;
      if (name === null) continue;
      if (op !== 'remove') changed[name] = given;
      else if (name === 'externalId') changed[name] = null;
    }
  }
  const { success, data, error } = Changes.safeParse(changed);
  if (success) return data;
  const param = String(error.issues[0]!.path[0]);
  throw new WeirError('invalid_request', { param, message: `"${param}" is not valid.` });
}

export const UserQuery = z.looseObject({
  filter: text(1_000).optional(),
  startIndex: z.coerce.number().int().default(1),
  count: z.coerce.number().int().default(MAX_COUNT),
});
export type UserQuery = z.output<typeof UserQuery>;

/** The part of a list that is asked for: from the first, which is 1, so many. */
export const partOf = ({ startIndex, count }: UserQuery) => ({
  from: Math.max(1, startIndex),
  count: Math.min(MAX_COUNT, Math.max(0, count)),
});

const FILTER = /^\s*(userName|externalId|id)\s+eq\s+("(?:[^"\\]|\\["\\/])*")\s*$/i;

/** `userName eq "ada@example.com"`, in whatever case. @throws WeirError invalid_request */
export function conditionIn(filter: string): { name: 'username' | 'externalid' | 'id'; value: string } {
  const [, name, value] = FILTER.exec(filter) ?? [];
  if (name === undefined)
    throw new WeirError('invalid_request', {
      param: 'filter',
      message: 'Filter by one of userName, externalId and id with "eq", such as userName eq "ada@example.com".',
    });
  return { name: name.toLowerCase() as 'username', value: JSON.parse(value!) as string };
}
