import { z } from 'zod';
import { BUCKET_WIDTHS, type BucketWidth, CALL_DIMENSIONS, type Dimension, type SumQuery, usageFields } from '../../calls/index.js';
import { isTimeZone } from '../../kernel/time-zone.js';
import { idText, text } from '../http/fields.js';

const MAX_FILTERS = 100;

const PAGE = /^page_(\d{1,10})$/;

const instant = z.coerce.number().int().min(0).max(4_102_444_800);

const list = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((given) => (typeof given === 'string' ? given.split(',') : given), z.array(item).max(MAX_FILTERS));

type Limits = Record<BucketWidth, { usual: number; most: number }>;

/** OpenAI's usual and largest number of buckets per page, where it has the width. */
const USAGE_LIMITS: Limits = {
  '1m': { usual: 60, most: 1_440 },
  '15m': { usual: 96, most: 672 },
  '1h': { usual: 24, most: 168 },
  '1d': { usual: 7, most: 31 },
  '1mo': { usual: 12, most: 36 },
};

const COST_LIMITS: Limits = { ...USAGE_LIMITS, '1d': { usual: 7, most: 180 } };

const sumsQuery = <Field extends string>(fields: readonly [Field, ...Field[]], limits: Limits) =>
  z
    .strictObject({
      start_time: instant.describe('Unix seconds, inclusive.'),
      end_time: instant.optional().describe('Unix seconds, exclusive. Absent: now.'),
      bucket_width: z.enum(Object.keys(BUCKET_WIDTHS) as [BucketWidth, ...BucketWidth[]]).default('1d'),
      time_zone: text(64)
        .refine(isTimeZone, { error: 'must be an IANA time zone, such as "Europe/Berlin" or "UTC"' })
        .default('UTC')
        .describe('IANA time zone. Decides when hours, days and months begin.'),
      group_by: list(z.enum([...fields, 'provider', ...CALL_DIMENSIONS]))
        .optional()
        .describe('One or more. A call with several tags or scopes counts for each of them.'),
      project_ids: list(idText('project')).optional(),
      api_key_ids: list(idText('apiKey')).optional(),
      models: list(text(512)).optional().describe('Models as `provider/model-id`.'),
      providers: list(text(255)).optional().describe('Names of providers.'),
      endpoints: list(text(64)).optional().describe('Endpoints, as `surface` of a call names them.'),
      credential_ids: list(idText('credential')).optional().describe('Credentials that calls ended with.'),
      end_users: list(text(256)).optional(),
      sessions: list(text(256)).optional(),
      tags: list(text(256)).optional().describe('Calls with one of the tags.'),
      scopes: list(text(256)).optional().describe('Calls with one of the scopes.'),
      limit: z.coerce.number().int().min(1).optional().describe('Buckets per page.'),
      page: z.string().regex(PAGE, { error: 'must be the next_page of another page' }).optional(),
    })
    .refine(({ start_time, end_time }) => end_time === undefined || end_time > start_time, {
      path: ['end_time'],
      error: 'must be later than start_time',
    })
    .refine(({ bucket_width, limit = 1 }) => limit <= limits[bucket_width].most, {
      path: ['limit'],
      error: `must be at most ${Object.entries(limits)
        .map(([width, { most }]) => `${most} for ${width}`)
        .join(', ')}`,
    });

export const UsageQuery = sumsQuery(['project_id', 'api_key_id', 'model'], USAGE_LIMITS);

export type UsageQuery = z.output<typeof UsageQuery>;

/** A line item is a model. */
export const CostsQuery = sumsQuery(['project_id', 'api_key_id', 'line_item'], COST_LIMITS).safeExtend({
  basis: z.enum(['corrected', 'charged']).default('corrected').describe('`charged`: without corrections that were booked later.'),
});

export type CostsQuery = z.output<typeof CostsQuery>;

const group = z.string().nullable();

/** Where the sums are grouped by them. */
const ownGroups = Object.fromEntries(
  (['provider', ...CALL_DIMENSIONS] as const).map((dimension) => [dimension, group.optional()]),
) as Record<'provider' | (typeof CALL_DIMENSIONS)[number], z.ZodOptional<typeof group>>;

const amount = z.strictObject({ value: z.number(), currency: z.literal('usd') });

const pageOf = <Result extends z.ZodType>(result: Result) =>
  z.strictObject({
    object: z.literal('page'),
    data: z.array(
      z.strictObject({ object: z.literal('bucket'), start_time: z.number().int(), end_time: z.number().int(), results: z.array(result) }),
    ),
    has_more: z.boolean(),
    next_page: z.string().nullable(),
  });

export const UsagePage = pageOf(
  z
    .strictObject({
      object: z.literal('organization.usage.completions.result'),
      ...usageFields('sums'),
      num_model_requests: z.number().int(),
      project_id: group,
      user_id: z.null(),
      api_key_id: group,
      model: group,
      batch: z.null(),
      service_tier: z.null(),
      ...ownGroups,
    })
    .meta({ id: 'UsageResult' }),
);

export const CostsPage = pageOf(
  z
    .strictObject({
      object: z.literal('organization.costs.result'),
      amount: amount.describe('What is charged.'),
      provider_cost: amount
        .nullable()
        .describe(
          'What the providers take, as far as it is known. Calls that the platform pays for add nothing for a tenant; operators see them too. Null: nothing is known.',
        ),
      line_item: group,
      project_id: group,
      user_id: z.null(),
      api_key_id: group,
      ...ownGroups,
    })
    .meta({ id: 'CostsResult' }),
);

/** @param only the only project to sum up; null: those that the query asks for. */
export const usageSumQuery = (query: UsageQuery, only: string | null): SumQuery =>
  sumQuery(query, query.group_by ?? [], USAGE_LIMITS, only);

export const costsSumQuery = (query: CostsQuery, only: string | null): SumQuery =>
  sumQuery(
    query,
    (query.group_by ?? []).map((field) => (field === 'line_item' ? 'model' : field)),
    COST_LIMITS,
    only,
  );

function sumQuery(query: Omit<UsageQuery, 'group_by'>, groupBy: Dimension[], limits: Limits, only: string | null): SumQuery {
  const asked = query.project_ids;
  const filters = {
    project_id: only === null ? asked : [only].filter((id) => asked?.includes(id) ?? true),
    api_key_id: query.api_key_ids,
    model: query.models,
    provider: query.providers,
    endpoint: query.endpoints,
    credential_id: query.credential_ids,
    end_user: query.end_users,
    session: query.sessions,
    tag: query.tags,
    scope: query.scopes,
  };
  return {
    start: Math.max(query.start_time, Number(PAGE.exec(query.page ?? '')?.[1] ?? 0)),
    end: query.end_time ?? Math.ceil(Date.now() / 1000),
    bucketWidth: query.bucket_width,
    timeZone: query.time_zone,
    groupBy: [...new Set(groupBy)],
    filters: Object.fromEntries(Object.entries(filters).filter(([, wanted]) => wanted !== undefined)),
    limit: query.limit ?? limits[query.bucket_width].usual,
  };
}
