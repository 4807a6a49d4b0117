import type { Pool } from 'pg';
import { brokenInvariants } from '../../support/ledger.js';
import type { UpstreamCall } from '../../support/upstream.js';
import type { Seen } from './client.js';
import { PRICE } from './rig.js';

/** One call in the ledger. */
export interface Booked {
  /** See {@link Seen.tag}. */
  tag: number;
  status: 'completed' | 'cut' | 'failed';
  error_code: string | null;
  estimated: boolean;
  /** Kinds of its entries. */
  kinds: string[];
  /** Over all its entries; null when it has none. */
  amount: bigint | null;
}

/** What the ledger holds of the calls of a rig. */
export async function bookedCalls(db: Pool): Promise<Booked[]> {
  const { rows } = await db.query<Booked>(
    `SELECT div(c.held, $1)::int AS tag, c.status, c.error_code, c.estimated, coalesce(array_agg(l.kind ORDER BY l.kind) FILTER (WHERE l.kind IS NOT NULL), '{}') AS kinds,
       sum(l.amount)::bigint AS amount
     FROM calls c LEFT JOIN ledger_entries l ON l.call_id = c.id GROUP BY c.tenant_id, c.id, c.admitted_at, c.held, c.status, c.error_code, c.estimated`,
    [PRICE.output],
  );
  return rows;
}

export interface Evidence {
  upstream: readonly UpstreamCall[];
  /** What each client saw, where the spec kept it. */
  seen?: readonly Seen[];
}

export interface Findings {
  /** Promises that were broken; empty when all were kept. */
  broken: string[];
  /** Calls noted as sent that the upstream never got: booked as estimates, to be on the safe side. */
  unheard: number;
  /** Booked with the provider's own numbers. */
  exact: number;
  estimated: number;
  /** Given back. */
  voided: number;
}

/**
 * Holds the ledger against itself, against the upstream's own log and against what clients saw. For a rig at rest: no call under way, everything
 * started again. Money is compared to the nano-dollar.
 */
export async function audit(db: Pool, { upstream, seen = [] }: Evidence): Promise<Findings> {
  const broken = await brokenInvariants(db);
  const calls = await bookedCalls(db);
  const byTag = Map.groupBy(calls, (call) => call.tag);
  const heard = new Map(upstream.map((call) => [call.body.max_tokens!, call]));
  if (heard.size !== upstream.length) broken.push(`the upstream got ${upstream.length - heard.size} calls twice`);

  const open = await db.query<{ id: string }>(`SELECT id FROM holds WHERE state = 'open'`);
  for (const { id } of open.rows) broken.push(`I7 hold ${id} is still open`);
  for (const [tag, rows] of byTag) if (rows.length > 1) broken.push(`call ${tag} is booked ${rows.length} times`);
  for (const tag of heard.keys()) if (usages(byTag.get(tag)) !== 1) broken.push(`I6 ${describe(tag, byTag)}, and the upstream had it`);
  for (const call of calls) broken.push(...judge(call, heard.get(call.tag)));
  for (const client of seen) broken.push(...compare(client, byTag.get(client.tag)?.[0], heard.get(client.tag)));

  const charged = calls.filter((call) => call.amount !== null);
  return {
    broken,
    unheard: charged.filter((call) => !heard.has(call.tag)).length,
    exact: charged.filter((call) => !call.estimated).length,
    estimated: charged.filter((call) => call.estimated).length,
    voided: calls.length - charged.length,
  };
}

/** What the provider's own numbers cost. */
export const costOf = (usage: { prompt_tokens: number; completion_tokens: number }): bigint =>
  BigInt(usage.prompt_tokens) * PRICE.input + BigInt(usage.completion_tokens) * PRICE.output;

const usages = (rows: Booked[] = []): number => rows.flatMap((row) => row.kinds).filter((kind) => kind === 'usage').length;

const describe = (tag: number, byTag: Map<number, Booked[]>): string => `call ${tag} has ${usages(byTag.get(tag))} usage entries`;

/** Reasons for which a call may be charged that the upstream never heard of: it was noted as sent, and then nobody could know. */
const NOBODY_KNOWS = ['gateway_lost', 'client_gone', 'upstream_unreachable', 'upstream_timeout'];

function judge(call: Booked, heard: UpstreamCall | undefined): string[] {
  const about = `call ${call.tag} (${call.status}, ${call.error_code}, ${call.kinds})`;
  if (call.amount === null) return heard ? [`${about} cost nothing, but the upstream had it`] : [];
  if (!heard && !(call.estimated && NOBODY_KNOWS.includes(call.error_code!)))
    return [`I6 ${about} is charged, but the upstream never had it`];
  const exact = heard?.billed ? costOf(heard.billed) : null;
  if (!call.estimated && call.amount !== exact) return [`${about} cost ${call.amount}, but the upstream billed ${exact}`];
  return [];
}

/** Whoever saw the end of an answer was charged what the provider billed; who was refused was charged nothing. */
function compare(client: Seen, call: Booked | undefined, heard: UpstreamCall | undefined): string[] {
  const known = call?.status === 'completed' || call?.kinds.includes('late') === true; // the truth came after the reaper had booked an estimate
  if (client.end === 'whole' && (!known || call?.amount !== costOf(heard!.billed!)))
    return [`client ${client.tag} saw the end, but the ledger says ${call?.status}, ${call?.amount}`];
  const wasSent = client.status !== null && client.status >= 500 && client.code !== 'ledger_unavailable';
  if (client.end === 'refused' && !wasSent && (heard || (call && call.amount !== null)))
    return [`client ${client.tag} was refused (${client.code}), but the call was ${heard ? 'sent' : 'charged'}`];
  return [];
}
