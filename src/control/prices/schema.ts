import { z } from 'zod';
import { parseUsd } from '../../kernel/money.js';
import { isOptional, RATED_UNITS, type RatedUnit, type TextUnit } from '../../kernel/usage.js';
import { PricedRatesObject, perMillion, type Rates, RatesObject, ratesBy, type Tier } from '../../prices/index.js';
import { Currency, Money, Timestamp, text, time } from '../http/fields.js';
import { ListQuery } from '../http/list.js';
import { providerName } from '../providers/schema.js';

const MAX_RATE = parseUsd('1000000')!;

const RATE_FAULT = 'must be USD per million tokens, at most nine decimals, as a decimal string such as "0.25" or a number';

/** USD per million tokens; becomes nano-USD. A number counts as its shortest decimal text: it has nine decimals at most if those give it back. */
const rate = z.union([z.string(), z.number()], { error: RATE_FAULT }).transform((given, context) => {
  const nano = typeof given === 'string' ? parseUsd(given) : Number(given.toFixed(9)) === given ? parseUsd(given.toFixed(9)) : null;
  if (nano !== null && nano <= MAX_RATE) return nano;
  context.addIssue({ code: 'custom', message: nano === null ? RATE_FAULT : 'must be at most 1000000' });
  return z.NEVER;
});

const MAX_TIERS = 8;

type NeededRate = Extract<TextUnit, { rate: { fallback: null } }>;
type GivenRates = { [U in RatedUnit as U['rate']['api']]: U extends NeededRate ? typeof rate : z.ZodOptional<typeof rate> };

const nameOf = Object.fromEntries(RATED_UNITS.map((unit) => [unit.field, unit.rate.api])) as Record<RatedUnit['field'], string>;

const rates = Object.fromEntries(
  RATED_UNITS.map((unit) => {
    const { api, per, fallback } = unit.rate;
    if (isOptional(unit)) return [api, rate.optional().describe(`USD per ${per}. Absent: as the catalog lists it, where it does.`)];
    return [api, fallback === null ? rate : rate.optional().describe(`Absent: the same as ${nameOf[fallback]}.`)];
  }),
) as GivenRates;

const tiers = z
  .array(z.strictObject({ above_input_tokens: z.number().int().min(1).max(1e12), ...rates }))
  .max(MAX_TIERS)
  .refine((all) => all.every((tier, i) => i === 0 || tier.above_input_tokens > all[i - 1]!.above_input_tokens), {
    error: 'must be in the order of above_input_tokens, each once',
  })
  .describe('Rates for the whole request, if its input is longer.');

export const CreatePrice = z
  .strictObject({
    provider: providerName.describe('The name of the provider.'),
    model: text(256).min(1).describe('The model id. `*`: every model of the provider that has no price.'),
    ...rates,
    tiers: tiers.default([]),
    effective_at: time.optional().describe('Absent: now.'),
    notes: text(1_000).optional(),
  })
  .meta({ example: { provider: 'openai', model: 'acme-large', input: '0.50', output: '1.50' } });

export type CreatePrice = z.output<typeof CreatePrice>;

const MAX_UPLOADED = 2_000;

export const UploadCatalog = z
  .strictObject({
    source: text(200).min(1).describe('Source and date of the prices. Kept with each price as its notes.'),
    as_of: time.optional().describe('When the file was made. Changes to prices that were set after it are flagged.'),
    prices: z
      .array(CreatePrice.omit({ notes: true }))
      .min(1)
      .max(MAX_UPLOADED)
      .refine(
        (all) =>
          new Set(all.map(({ provider, model, effective_at }) => `${provider} ${model} ${effective_at?.getTime()}`)).size === all.length,
        {
          error: 'must have each provider, model and effective_at once',
        },
      ),
    dry_run: z.boolean().default(true).describe('true: show what would change, and change nothing.'),
    confirm: text(64).optional().describe('The digest that the dry run returned.'),
  })
  .meta({
    example: { source: 'price list of December 2026', prices: [{ provider: 'openai', model: 'your-model', input: '1.25', output: '10' }] },
  });

export type UploadCatalog = z.output<typeof UploadCatalog>;

export const PriceQuery = ListQuery.extend({ provider: text(64).optional(), model: text(256).optional() });

export type PriceQuery = z.output<typeof PriceQuery>;

export const PriceObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('price'),
    provider: z.string(),
    model: z.string(),
    ...PricedRatesObject,
    tiers: z
      .array(z.strictObject({ above_input_tokens: z.number().int(), ...RatesObject }))
      .describe('Rates for the whole request, if its input is longer.'),
    effective_at: Timestamp,
    source: z.string().describe('Who set it: `catalogue`, `operator`, or `admin` for an admin of the tenant.'),
    notes: z.string().nullable(),
    unused: z
      .string()
      .nullable()
      .describe('Why no call has this price, such as a provider that the tenant does not have. null: it is used.'),
    created_at: Timestamp,
  })
  .meta({ id: 'Price' });

export const ratesOf = (body: Omit<CreatePrice['tiers'][number], 'above_input_tokens'>): Rates =>
  ratesBy(({ rate }) => {
    const given = body[rate.api];
    return given === undefined ? undefined : perMillion(given, rate.per);
  });

export const tiersOf = (body: CreatePrice): Tier[] =>
  body.tiers.map(({ above_input_tokens: aboveInputTokens, ...tier }) => ({ aboveInputTokens, rates: ratesOf(tier) }));

export const CatalogObject = z
  .strictObject({
    object: z.literal('price_catalogue'),
    dry_run: z.boolean(),
    digest: z.string().describe('Identifies exactly these changes. Send it as `confirm`.'),
    added: z.number().int().describe('Prices that differ from those in force when they begin.'),
    unchanged: z.number().int(),
    flagged: z.number().int().describe('Changes to check.'),
    changes: z.array(
      z.strictObject({
        provider: z.string(),
        model: z.string(),
        effective_at: Timestamp.nullable().describe('null: from when the file is applied.'),
        before: z.strictObject(RatesObject).nullable().describe('null: there is no price.'),
        after: z.strictObject(RatesObject),
        flag: z.string().nullable().describe('What is unusual about the price. Null: nothing.'),
      }),
    ),
  })
  .meta({ id: 'PriceCatalog' });

export const Rerate = z
  .strictObject({
    start_time: time.describe('Calls admitted since this time.'),
    end_time: time.optional().describe('Calls admitted before this time. Absent: now.'),
    provider: providerName.optional(),
    model: text(256).min(1).optional(),
    dry_run: z.boolean().default(true).describe('true: show what would change, and change nothing.'),
    reason: text(1_000).optional(),
  })
  .refine(({ start_time, end_time }) => end_time === undefined || end_time > start_time, {
    path: ['end_time'],
    error: 'must be later than start_time',
  })
  .meta({ example: { start_time: '2026-11-01T00:00:00Z', provider: 'openai', model: 'your-model' } });

export type Rerate = z.output<typeof Rerate>;

export const RerateObject = z
  .strictObject({
    object: z.literal('rerate'),
    dry_run: z.boolean(),
    calls: z.number().int().describe('Of a call with several attempts, each attempt counts.'),
    changed: z.number().int(),
    unpriced: z.number().int().describe('Calls that still have no price. They are not changed.'),
    charged: Money,
    corrected: Money,
    difference: Money,
    currency: Currency,
    changes: z.array(z.strictObject({ call_id: z.string(), charged: Money.nullable(), corrected: Money })).describe('The first of them.'),
  })
  .meta({ id: 'Rerate' });
