import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { newId } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import { PLAIN_UNITS, summedUsage, type UsageSums, usageSums } from '../kernel/usage.js';
import { crashOnceSent } from '../platform/faults/index.js';
import { sqlFunction } from '../platform/postgres/index.js';
import { LEASE_SECONDS } from './deadline.js';
import { encodeAttempts } from './encode-settlement.js';
import { type AdmissionRow, type HoldAnswer, toAnswer } from './hold-answer.js';
import { MAX_ROWS } from './lanes.js';
import type { Adjustment, BookedCall, Checkpoint, FlightNote, HoldRequest, PresentedApproval, ReapedCall, Scope } from './ledger.js';

interface BookedRow extends UsageSums {
  call_id: string;
  attempt: number;
  admitted_at: string;
  provider: string;
  provider_id: string | null;
  lent: boolean | null;
  model: string;
  charged: bigint | null;
  booked: bigint | null;
  rates: BookedCall['rates'];
  adjustments: number;
}

/** What became of calls of which settling found no hold, by their ids. */
export interface Unheld {
  /** Their hold was lost: they are booked from what is known of it. */
  booked: string[];
  /** They have a hold after all: to be settled again. */
  held: string[];
  /** They may have been booked too long ago to be sure, or what they were held for is not known. */
  unknown: string[];
}

/** Booked calls by time of admission. Null: whichever. */
export interface Span {
  from: Date;
  to: Date;
  provider: string | null;
  model: string | null;
}

// The statements of every call.
const HOLD = `SELECT * FROM ${sqlFunction('hold_batch')}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`;
const HOLD_APPROVED = `SELECT * FROM ${sqlFunction('hold_approved')}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`;
const SETTLE = `SELECT resolved_id, remaining FROM ${sqlFunction('settle_calls')}($1, $2)`;
const HEARTBEAT = `SELECT ${sqlFunction('heartbeat_calls')}($1, $2, $3, $4, $5, $6, $7)`;

/** After this long a connection is given up and another is tried: the server may be gone without a word. The statement may still land. */
const HOLD_TIMEOUT_MS = 2_000;
const SETTLE_TIMEOUT_MS = 5_000;
const HEARTBEAT_TIMEOUT_MS = 5_000;

/** pg takes a timeout per query, which its types do not know. */
type QueryConfig = import('pg').QueryConfig & { query_timeout: number };

/** The statements of the money path. Each may be repeated with the same ids. */
@Injectable()
export class LedgerRepository {
  constructor(private readonly pool: Pool) {}

  /** Makes some connections ready for the first calls: a new one has to plan all its statements. */
  async warmUp(connections: number): Promise<void> {
    await Promise.all(Array.from({ length: connections }, () => this.hold(newId(), []).then(() => this.settle(new Map()))));
  }

  /** Asks Postgres for nothing but an answer. */
  async probe(timeoutMs: number): Promise<void> {
    await this.pool.query({ text: 'SELECT 1', query_timeout: timeoutMs } as QueryConfig);
  }

  /**
   * Admits calls, in order.
   * @param lockMs how long a row that is locked is waited for. @param mostRows a batch of several calls that touches more is not admitted: `split`.
   */
  async hold(gatewayId: string, requests: HoldRequest[], lockMs = HOLD_TIMEOUT_MS, mostRows = MAX_ROWS): Promise<HoldAnswer[]> {
    if (requests.length > 0) crashOnceSent('hold_sent');
    const values = holdValues(gatewayId, requests, lockMs, mostRows);
    const { rows } = await this.pool.query<AdmissionRow>({
      name: 'hold_batch',
      text: HOLD,
      values,
      query_timeout: HOLD_TIMEOUT_MS,
    } as QueryConfig);
    return rows.map(toAnswer);
  }

  /** Admits a call, beyond its budgets where its approval allows that. */
  async holdApproved(gatewayId: string, request: HoldRequest, { id, fingerprint }: PresentedApproval, lockMs: number): Promise<HoldAnswer> {
    crashOnceSent('hold_sent');
    const values = [id, request.context.key, fingerprint, ...holdValues(gatewayId, [request], lockMs, MAX_ROWS)];
    const { rows } = await this.pool.query<AdmissionRow>({ text: HOLD_APPROVED, values, query_timeout: HOLD_TIMEOUT_MS } as QueryConfig);
    return toAnswer(rows[0]!);
  }

  /**
   * Books settlements as `encodeSettlement` wrote them, by call id. Answers the ids this statement resolved, each with the least headroom that is
   * left of its hard budgets (null: it has none, or was booked late). One that is missing was resolved before.
   */
  async settle(settlements: ReadonlyMap<string, string>): Promise<Map<string, Nano | null>> {
    if (settlements.size > 0) crashOnceSent('settle_sent');
    const { rows } = await this.pool.query<{ resolved_id: string; remaining: Nano | null }>({
      name: 'settle_calls',
      text: SETTLE,
      values: [arrayOf([...settlements.keys()]), `[${[...settlements.values()].join(',')}]`],
      query_timeout: SETTLE_TIMEOUT_MS,
    } as QueryConfig);
    return new Map(rows.map((row) => [row.resolved_id, row.remaining]));
  }

  /** Books calls of which settling found no hold, as `encodeWithHold` wrote them, by call id. What was resolved before is in no list of the answer. */
  async bookUnheld(gatewayId: string, settlements: ReadonlyMap<string, string>): Promise<Unheld> {
    const { rows } = await this.pool.query<{ unheld_id: string; became: keyof Unheld }>({
      text: `SELECT unheld_id, became FROM ${sqlFunction('book_unheld')}($1, $2)`,
      values: [gatewayId, `[${[...settlements.values()].join(',')}]`],
      query_timeout: SETTLE_TIMEOUT_MS,
    } as QueryConfig);
    const idsOf = (became: keyof Unheld) => rows.filter((row) => row.became === became).map((row) => row.unheld_id);
    return { booked: idsOf('booked'), held: idsOf('held'), unknown: idsOf('unknown') };
  }

  /** Makes sure that holds which were given up can never land: what has not landed by now never will. */
  async abandon(gatewayId: string, holds: { id: string; tenantId: string }[]): Promise<void> {
    await this.pool.query({
      text: `SELECT ${sqlFunction('abandon_holds')}($1, $2, $3)`,
      values: [gatewayId, arrayOf(holds.map((hold) => hold.id)), arrayOf(holds.map((hold) => hold.tenantId))],
      query_timeout: SETTLE_TIMEOUT_MS,
    } as QueryConfig);
  }

  /** Attempts of a tenant's calls that were booked, by time of admission, after the last of the page before. */
  async bookedCalls(tenantId: string, span: Span, after: BookedCall | null, limit: number): Promise<BookedCall[]> {
    const attempt = `${sqlFunction('attempt_of')}(kind, l.attempt)`;
    const { rows } = await this.pool.query<BookedRow>(
      `SELECT e.*, e.at::text AS admitted_at, c.provider_id, c.lent
       FROM (
       SELECT call_id, admitted_at AS at, ${attempt} AS attempt, max(provider) AS provider, max(model) AS model, sum(amount)::bigint AS charged,
         ${usageSums('l')},
         (count(*) FILTER (WHERE kind = 'adjustment'))::integer AS adjustments, (sum(amount) FILTER (WHERE kind <> 'adjustment'))::bigint AS booked,
         (array_agg(rates ORDER BY booked_at DESC) FILTER (WHERE kind <> 'adjustment' AND rates IS NOT NULL))[1] AS rates
       FROM ledger_entries l
       WHERE tenant_id = $1 AND admitted_at >= $2 AND admitted_at < $3 AND kind <> 'manual' AND ($4::text IS NULL OR provider = $4)
         AND ($5::text IS NULL OR model = $5) AND ($6::timestamptz IS NULL OR (admitted_at, call_id, ${attempt}) > ($6, $7::uuid, $8::integer))
       GROUP BY admitted_at, call_id, ${attempt} ORDER BY admitted_at, call_id, ${attempt} LIMIT $9
       ) e LEFT JOIN calls c ON c.tenant_id = $1 AND c.id = e.call_id AND c.admitted_at = e.at AND c.provider = e.provider
       ORDER BY e.at, e.call_id, e.attempt`,
      [
        tenantId,
        span.from,
        span.to,
        span.provider,
        span.model,
        after?.admittedAt ?? null,
        after?.callId ?? null,
        after?.attempt ?? null,
        limit,
      ],
    );
    return rows.map((row) => ({
      callId: row.call_id,
      attempt: row.attempt,
      admittedAt: row.admitted_at,
      provider: row.provider,
      providerId: row.provider_id,
      lent: row.lent,
      model: row.model,
      usage: summedUsage(row),
      charged: row.charged,
      booked: row.booked,
      rates: row.rates,
      adjustments: row.adjustments,
    }));
  }

  /** Whether the platform paid for any of these calls, or may have. */
  async platformPaid(tenantId: string, { from, to, provider, model }: Span): Promise<boolean> {
    const { rows } = await this.pool.query<{ paid: boolean }>(
      `SELECT EXISTS (
         SELECT FROM ledger_entries e LEFT JOIN calls c ON c.tenant_id = e.tenant_id AND c.id = e.call_id AND c.admitted_at = e.admitted_at AND c.provider = e.provider
         WHERE e.tenant_id = $1 AND e.admitted_at >= $2 AND e.admitted_at < $3 AND e.kind = 'usage' AND ($4::text IS NULL OR e.provider = $4)
           AND ($5::text IS NULL OR e.model = $5) AND is_platform_paid(c.lent, e.provider)
       ) AS paid`,
      [tenantId, from, to, provider, model],
    );
    return rows[0]!.paid;
  }

  /** Books corrections, each once. Answers how many this statement booked. */
  async adjust(tenantId: string, adjustments: Adjustment[], actor: string, reason: string | null): Promise<number> {
    const column = <T>(of: (adjustment: Adjustment) => T) => adjustments.map(of);
    const { rowCount } = await this.pool.query(`SELECT * FROM ${sqlFunction('adjust_calls')}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, [
      tenantId,
      column((one) => one.callId),
      column((one) => one.admittedAt),
      column((one) => one.attempt),
      column((one) => one.number),
      column((one) => one.amount),
      column((one) => one.priceId),
      column((one) => JSON.stringify(one.rates)),
      actor,
      reason,
    ]);
    return rowCount ?? 0;
  }

  /** Extends the leases of calls in flight, and notes what is to be booked of each should this process die. */
  async heartbeat(calls: readonly FlightNote[]): Promise<void> {
    const noted = (of: (checkpoint: Checkpoint) => number | bigint | null) =>
      arrayOf(calls.map(({ checkpoint }) => (checkpoint && of(checkpoint)) ?? 'NULL'));
    await this.pool.query({
      name: 'heartbeat_calls',
      text: HEARTBEAT,
      values: [
        arrayOf(calls.map((call) => call.id)),
        noted(({ inputTokens }) => inputTokens),
        noted(({ outputTokens }) => outputTokens),
        noted(({ amount }) => amount),
        calls.map(({ isSent }) => isSent),
        calls.map(({ attempts }) => (attempts.length === 0 ? null : JSON.stringify(encodeAttempts(attempts)))),
        `${LEASE_SECONDS} seconds`,
      ],
      query_timeout: HEARTBEAT_TIMEOUT_MS,
    } as QueryConfig);
  }

  /** Whether Postgres knows the last of these calls, held within the days that holds are kept. If not, it was recovered to a moment before. */
  async knowsLast(calls: string[]): Promise<boolean> {
    const { rows } = await this.pool.query<{ known: boolean }>(KNOWS_LAST, [arrayOf(calls)]);
    return rows[0]!.known;
  }

  /** A gateway is dead: its leases end, and what it had sent is noted. Answers how many calls it left open. */
  async expireGateway(gatewayId: string, sent: string[]): Promise<number> {
    const { rows } = await this.pool.query<{ expired: bigint }>(`SELECT ${sqlFunction('expire_gateway')}($1, $2) AS expired`, [
      gatewayId,
      arrayOf(sent),
    ]);
    return Number(rows[0]!.expired);
  }

  /**
   * Resolves up to `limit` holds whose lease is over and whose call can no longer run, or whose gateway is known to be gone.
   * Frees what is held apart for calls of gateways that are gone.
   */
  async reap(limit: number): Promise<ReapedCall[]> {
    crashOnceSent('reap_sent');
    const { rows } = await this.pool.query<ReapedCall>(
      `SELECT reaped_id AS id, is_booked AS "isBooked", booked AS amount, held FROM ${sqlFunction('reap_calls')}($1, $2)`,
      [limit, PLAIN_UNITS],
    );
    for (let freed = limit; freed === limit; ) {
      freed = (await this.pool.query<{ freed: number }>(`SELECT ${sqlFunction('free_held_apart')}($1) AS freed`, [limit])).rows[0]!.freed;
    }
    return rows;
  }
}

/** The arguments of `hold_batch`. */
function holdValues(gatewayId: string, requests: HoldRequest[], lockMs: number, mostRows: number): unknown[] {
  const scopes = new ScopeTable();
  const linkCalls: number[] = [];
  const linkScopes: number[] = [];
  requests.forEach((request, index) => {
    for (const scope of request.scopes) {
      linkCalls.push(index + 1);
      linkScopes.push(scopes.numberOf(request.tenantId, scope));
    }
  });
  const later = (of: (request: HoldRequest) => string | number | undefined) =>
    requests.some(({ context }) => context.call !== undefined) ? arrayOf(requests.map((request) => of(request) ?? 'NULL')) : null;
  return [
    mostRows,
    Math.ceil(lockMs),
    gatewayId,
    `${LEASE_SECONDS} seconds`,
    arrayOf(requests.map((request) => request.id)),
    arrayOf(requests.map((request) => request.tenantId)),
    arrayOf(requests.map((request) => request.amount ?? 'NULL')),
    arrayOf(requests.map((request) => request.tokens)),
    JSON.stringify(requests.map((request) => request.context)),
    arrayOf(scopes.tenants),
    arrayOf(scopes.kinds),
    scopes.values,
    arrayOf(linkCalls),
    arrayOf(linkScopes),
    arrayOf(requests.map((request) => request.wanted ?? 'NULL')),
    later(({ context }) => context.call),
    later(({ context }) => context.attempt),
  ];
}

/** The distinct scopes of a batch, numbered from 1. */
class ScopeTable {
  readonly tenants: string[] = [];
  readonly kinds: string[] = [];
  readonly values: string[] = [];
  /** By tenant and value; hardly ever more than one each. */
  private readonly numbers = new Map<string, Map<string, number[]>>();

  numberOf(tenantId: string, { kind, value }: Scope): number {
    const own = getOrAdd(this.numbers, tenantId, () => new Map<string, number[]>());
    const numbers = getOrAdd(own, value, () => []);
    let number = numbers.find((one) => this.kinds[one - 1] === kind);
    if (number === undefined) {
      this.tenants.push(tenantId);
      this.kinds.push(kind);
      number = this.values.push(value);
      numbers.push(number);
    }
    return number;
  }
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** A Postgres array literal of values that need no quoting: uuids, numbers and our own words. */
const arrayOf = (values: readonly (string | number | bigint)[]): string => `{${values.join(',')}}`;

/** Ids begin with their time. */
const KNOWS_LAST = `
  SELECT NOT EXISTS (
    SELECT FROM (SELECT id FROM unnest($1::uuid[]) AS marked (id) ORDER BY id DESC LIMIT 1) AS last
    WHERE id > (lpad(to_hex((extract(epoch FROM weir_now() - interval '6 days') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
      AND NOT EXISTS (SELECT FROM holds h WHERE h.id = last.id)
  ) AS known`;
