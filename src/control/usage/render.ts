import type { z } from 'zod';
import { type BucketPage, type CostSum, type Group, type UsageSum } from '../../calls/index.js';
import { publicId } from '../../kernel/ids.js';
import { usdNumber } from '../../kernel/money.js';
import { showUsage } from '../../kernel/usage.js';
import type { CostsPage, UsagePage } from './schema.js';

export const renderUsage = (page: BucketPage<UsageSum>): z.input<typeof UsagePage> =>
  renderPage(page, (sum) => ({
    object: 'organization.usage.completions.result',
    ...showUsage(sum.usage, 'sums'),
    num_model_requests: sum.requests,
    ...renderGroup(sum.group),
    model: sum.group.model ?? null,
    batch: null,
    service_tier: null,
  }));

export const renderCosts = (page: BucketPage<CostSum>): z.input<typeof CostsPage> =>
  renderPage(page, (sum) => ({
    object: 'organization.costs.result',
    amount: { value: usdNumber(sum.amount), currency: 'usd' },
    provider_cost: sum.providerCost === null ? null : { value: usdNumber(sum.providerCost), currency: 'usd' },
    line_item: sum.group.model ?? null,
    ...renderGroup(sum.group),
  }));

function renderPage<Sum, Result>({ buckets, next }: BucketPage<Sum>, render: (sum: Sum) => Result) {
  return {
    object: 'page' as const,
    data: buckets.map(({ start, end, results }) => ({
      object: 'bucket' as const,
      start_time: start,
      end_time: end,
      results: results.map(render),
    })),
    has_more: next !== null,
    next_page: next === null ? null : `page_${next}`,
  };
}

/** OpenAI's fields are always there, ours where the sums are grouped by them. */
const renderGroup = ({ project_id, api_key_id, credential_id, provider, endpoint, end_user, session, tag, scope }: Group) => ({
  project_id: project_id ? publicId('project', project_id) : null,
  user_id: null,
  api_key_id: api_key_id ? publicId('apiKey', api_key_id) : null,
  ...Object.fromEntries(Object.entries({ provider, endpoint, end_user, session, tag, scope }).filter(([, value]) => value !== undefined)),
  ...(credential_id !== undefined && { credential_id: credential_id && publicId('credential', credential_id) }),
});
