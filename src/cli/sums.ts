import type { Json } from './client.js';
import { UsageFailure } from './failure.js';
import { readTime } from './flags.js';
import { printList } from './output.js';
import type { Session } from './session.js';

interface SumOptions {
  readonly by?: string;
  readonly since: string;
  readonly until?: string;
  readonly bucket: string;
}

const PATHS = { usage: '/v1/organization/usage/completions', costs: '/v1/organization/costs' } as const;
const GROUPS = {
  usage: { model: 'model', project: 'project_id', key: 'api_key_id' },
  costs: { model: 'line_item', project: 'project_id', key: 'api_key_id' },
} as const;
const COLUMNS = {
  usage: ['num_model_requests', 'input_tokens', 'input_cached_tokens', 'output_tokens'],
  costs: ['amount.value', 'amount.currency', 'provider_cost.value'],
} as const;

/** A line for each bucket and group that has something. */
export async function printSums(
  { client, form }: Session,
  what: 'usage' | 'costs',
  { by, since, until, bucket }: SumOptions,
): Promise<void> {
  const group = by === undefined ? undefined : (GROUPS[what] as Record<string, string>)[by];
  if (by !== undefined && group === undefined) throw new UsageFailure(`--by ${by} is not known: write model, project or key`);
  const query = {
    start_time: readTime(since, '--since'),
    end_time: until === undefined ? undefined : readTime(until, '--until'),
    bucket_width: bucket,
    group_by: group,
  };
  const lines: Json[] = [];
  for (let page: unknown; ; ) {
    const answer = await client.request('GET', PATHS[what], { query: { ...query, page } });
    for (const { start_time, end_time, results } of answer['data'] as { start_time: number; end_time: number; results: Json[] }[])
      lines.push(...results.map((result) => ({ start_time, end_time, ...result })));
    if (!answer['has_more']) break;
    page = answer['next_page'];
  }
  printList(lines, ['start_time', ...(group === undefined ? [] : [group]), ...COLUMNS[what]], form);
}
