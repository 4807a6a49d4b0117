import { z } from 'zod';
import { type Id, type IdKind, parsePublicId, publicId } from '../../kernel/ids.js';
import { parseUsd } from '../../kernel/money.js';
import { SETTERS } from '../../kernel/setter.js';
import { canonicalNetwork } from '../../platform/listener/index.js';

const MAX_LABELS = 16;
const MAX_NETWORKS = 100;
const LAST_INSTANT = Date.UTC(2100, 0);

/** Far below what a bigint of nano-USD holds. */
const MAX_NANO = parseUsd('1000000000')!;

/** Text that Postgres can store. */
export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\0'), { error: 'must not contain the character NUL' });

/** A name as calls are labeled with; `*` stands for each. */
export const label = z
  .string()
  .regex(/^[^\s\p{Cc}\p{Cs}](?:[^\p{Cc}\p{Cs}]{0,254}[^\s\p{Cc}\p{Cs}])?$/u, { error: 'must be 1 to 256 printable characters' });

export const name = text(255).min(1);

export const externalId = text(255).min(1).describe('Your own id for it.');

export const metadata = z
  .record(text(64).min(1), text(512))
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, { error: `must have at most ${MAX_LABELS} keys` })
  .describe('Up to 16 keys with string values, for your own use.');

export const DEFAULT_MODEL = 'The model of calls that name none: `provider/model-id`, or a name that a route matches.';

export const defaultModel = text(256).regex(/^\S+$/, { error: 'must be the name of a model, without spaces' });

/** An amount as it is sent; becomes nano-USD. */
export const usd = z
  .string({ error: 'must be USD as a decimal string, e.g. "1.00"' })
  .regex(/^\d{1,10}(\.\d{1,9})?$/, { error: 'must be USD as a decimal string with at most nine decimals and no sign, e.g. "1.00"' })
  .transform((amount) => parseUsd(amount)!)
  .refine((nano) => nano <= MAX_NANO, { error: 'must be at most "1000000000"' });

const NO_TIME = 'must be a time: unix seconds, or ISO 8601 such as "2026-12-01T00:00:00Z"';

/** An instant as it is sent: unix seconds or ISO 8601. */
export const time = z
  .union([z.number().int(), z.iso.datetime({ offset: true, error: NO_TIME })], { error: NO_TIME })
  .transform((given) => new Date(typeof given === 'number' ? given * 1000 : given))
  .refine((at) => at.getTime() >= 0 && at.getTime() < LAST_INSTANT, { error: 'must lie between 1970 and 2100' });

const NO_NETWORK = 'must be an address or a network, such as 10.1.0.0/16, or "*" for all';

/** Networks as they are sent; become networks as they are looked up. */
export const cidrs = z
  .array(
    text(64).transform((given, context): string => {
      const network = given === '*' ? given : canonicalNetwork(given);
      if (network !== null) return network;
      context.addIssue({ code: 'custom', message: NO_NETWORK });
      return z.NEVER;
    }),
  )
  .max(MAX_NETWORKS)
  .describe('Addresses and networks that it may be used from. `*` stands for all.');

export const expiry = time.refine((at) => at > new Date(), { error: 'must lie in the future' });

/** A public id as it is sent; becomes the id. */
export const idText = (kind: IdKind) =>
  z.string().transform((given, context): Id => {
    const id = parsePublicId(kind, given);
    if (id !== null) return id;
    context.addIssue({ code: 'custom', message: `must be an id that starts with "${publicId(kind, '')}"` });
    return z.NEVER;
  });

export const setBy = z.enum(SETTERS).optional().describe('Who may change it from now on. Only an operator can set this.');

/** At least one change. */
export const notEmpty = [
  (changes: object) => Object.keys(changes).length > 0,
  { error: 'changes nothing. Send the fields to change' },
] as const;

// ── what is sent back ──

export { Currency, Money, Timestamp, unixSeconds, unixSecondsOrNull } from '../../platform/openapi/index.js';

export const SetBy = z.enum(SETTERS).describe('`operator`: a rule of the platform, which the tenant cannot change or remove.');
export const Uncounted = z
  .string()
  .nullable()
  .describe(
    'Why calls do not count against it, e.g. that its provider, project or key is gone; null: nothing is known that keeps them from it.',
  );
export const Metadata = z.record(z.string(), z.string());

export const deleted = <Name extends string>(object: Name) =>
  z.strictObject({ id: z.string(), object: z.literal(object), deleted: z.literal(true) });
