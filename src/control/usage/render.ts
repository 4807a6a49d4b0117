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
    ...renderGroup(sum),
    model: sum.model,
    batch: null,
    service_tier: null,
  }));

export const renderCosts = (page: BucketPage<CostSum>): z.input<typeof CostsPage> =>
  renderPage(page, (sum) => ({
    object: 'organization.costs.result',
    amount: { value: usdNumber(sum.amount), currency: 'usd' },
    provider_cost: sum.providerCost === null ? null : { value: usdNumber(sum.providerCost), currency: 'usd' },
    line_item: sum.model,
    ...renderGroup(sum),
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

const renderGroup = ({ projectId, apiKeyId }: Group) => ({
  project_id: projectId && publicId('project', projectId),
  user_id: null,
  api_key_id: apiKeyId && publicId('apiKey', apiKeyId),
});
