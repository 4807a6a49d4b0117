import { formatUsd, parseUsd } from '../kernel/money.js';
import type { Json } from './client.js';
import { EXIT, Failure } from './failure.js';
import { plain, printItem } from './output.js';
import { collect } from './rows.js';
import type { Session } from './session.js';

const PATH = '/v1/organization/calls';
/** Calls have no filter by session, so the latest are looked through. */
const LOOKED_THROUGH = 10_000;

interface Sums {
  readonly calls: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
  readonly cache_read_tokens: number;
  readonly cache_write_tokens: number;
  /** A decimal string in USD. */
  readonly cost: string;
}

export async function printMetrics({ client, form }: Session, id: string, hasBreakdown: boolean): Promise<void> {
  const calls = id.startsWith('call_') ? [await client.request('GET', `${PATH}/${encodeURIComponent(id)}`)] : await callsOf(id);
  const byModel = Map.groupBy(calls, (call) => `${call['provider']}/${call['served_model']}`);
  const models = [...byModel].map(([model, some]) => ({ model, ...sum(some) }));
  const all = sum(calls);
  if (form.json || form.field !== undefined) return printItem({ id, ...all, ...(hasBreakdown && { models }) }, form);
  form.out.write(`${plain(id)}\n${lines(all)}`);
  if (hasBreakdown) for (const { model, ...sums } of models) form.out.write(`${plain(model)}\n${lines(sums)}`);

  async function callsOf(session: string): Promise<Json[]> {
    const { items, hasMore } = await collect(client, PATH, {}, LOOKED_THROUGH);
    const found = items.filter((call) => call['session'] === session);
    if (found.length === 0)
      throw new Failure(`none of the latest ${items.length} calls has the session "${session}"`, EXIT.notFound, 'weir call list');
    if (hasMore) process.stderr.write(`weir: only the latest ${LOOKED_THROUGH} calls were looked through\n`);
    return found;
  }
}

function sum(calls: readonly Json[]): Sums {
  const total = (field: string): number => calls.reduce((count, call) => count + Number((call['usage'] as Json | null)?.[field] ?? 0), 0);
  const cost = calls.reduce((nano, call) => nano + (parseUsd(String(call['cost'] ?? '0')) ?? 0n), 0n);
  const [input_tokens, output_tokens] = [total('input_tokens'), total('output_tokens')];
  return {
    calls: calls.length,
    input_tokens,
    output_tokens,
    total_tokens: input_tokens + output_tokens,
    cache_read_tokens: total('cache_read_tokens'),
    cache_write_tokens: total('cache_write_tokens'),
    cost: formatUsd(cost),
  };
}

const lines = (sums: Sums): string =>
  [
    `  Calls: ${sums.calls}`,
    `  Tokens: in=${sums.input_tokens} out=${sums.output_tokens} total=${sums.total_tokens}`,
    `  Cache: read=${sums.cache_read_tokens} write=${sums.cache_write_tokens}`,
    `  Cost: $${sixDecimals(sums.cost)}`,
    '',
  ].join('\n');

/** Half a millionth is rounded up. */
function sixDecimals(usd: string): string {
  const micro = (parseUsd(usd)! + 500n) / 1_000n;
  return `${micro / 1_000_000n}.${String(micro % 1_000_000n).padStart(6, '0')}`;
}
