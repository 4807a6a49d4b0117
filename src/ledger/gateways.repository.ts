import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Nano } from '../kernel/money.js';
import { sqlFunction } from '../platform/postgres/index.js';

/** Calls of a gateway that hold money, and how much. */
export interface Holding {
  calls: number;
  amount: Nano;
}

/** A process that served calls and holds money for some that are not booked, or whose cost is not known. */
export interface SilentGateway {
  id: string;
  /** Null: it was started by a version that did not say. */
  host: string | null;
  processId: number | null;
  startedAt: Date | null;
  /** When it last extended a lease; null: it is known to be gone. */
  lastSeenAt: Date | null;
  /** It confirmed one of its calls a moment ago. */
  alive: boolean;
  /** Not booked yet. */
  open: Holding;
  /** Booked as an estimate; the amount is what they may cost above it. */
  heldApart: Holding;
  goneAt: Date | null;
}

/** What processes that serve calls say of themselves, and what others know of them. */
@Injectable()
export class GatewaysRepository {
  constructor(private readonly pool: Pool) {}

  /** A process begins to serve calls. */
  async announce(id: string): Promise<void> {
    await this.pool.query(
      'INSERT INTO gateways (id, host, process_id, started_at) VALUES ($1, $2, $3, weir_now()) ON CONFLICT (id) DO NOTHING',
      [id, hostname(), process.pid],
    );
  }

  /**
   * A gateway is gone and books nothing more: its open holds are due, and nothing stays held apart for its calls. Answers how many holds were open.
   * @param by an admin key, or `itself`.
   */
  async forget(id: string, by: string, reason: string | null): Promise<number> {
    const { rows } = await this.pool.query<{ open: bigint }>(`SELECT ${sqlFunction('forget_gateway')}($1, $2, $3) AS open`, [
      id,
      by,
      reason,
    ]);
    return Number(rows[0]!.open);
  }

  /** Gateways with holds whose lease is over, or with money held apart, the longest silent first; of one id, whatever it holds. */
  async silent(id: string | null = null): Promise<SilentGateway[]> {
    const { rows } = await this.pool.query<Row>(SILENT, [id]);
    return rows.map((row) => ({
      id: row.id,
      host: row.host,
      processId: row.process_id,
      startedAt: row.started_at,
      lastSeenAt: row.last_seen_at,
      alive: row.alive,
      open: { calls: row.open_calls, amount: row.open_amount },
      heldApart: { calls: row.apart_calls, amount: row.apart_amount },
      goneAt: row.gone_at,
    }));
  }

  /** All that is held apart. */
  async heldApart(): Promise<Holding> {
    const { rows } = await this.pool.query<Holding>(
      'SELECT count(*)::integer AS calls, coalesce(sum(amount), 0)::bigint AS amount FROM held_apart',
    );
    return rows[0]!;
  }
}

interface Row {
  id: string;
  host: string | null;
  process_id: number | null;
  started_at: Date | null;
  last_seen_at: Date | null;
  alive: boolean;
  open_calls: number;
  open_amount: bigint;
  apart_calls: number;
  apart_amount: bigint;
  gone_at: Date | null;
}

const SILENT = `
  WITH open AS (
    SELECT gateway_id, count(*)::integer AS calls, coalesce(sum(amount), 0)::bigint AS amount, max(lease_until) AS lease_until, min(lease_until) AS first_until
    FROM holds WHERE state = 'open' AND ($1::uuid IS NULL OR gateway_id = $1) GROUP BY gateway_id
  ), apart AS (
    SELECT gateway_id, count(*)::integer AS calls, sum(amount)::bigint AS amount, min(since) AS since
    FROM held_apart WHERE $1::uuid IS NULL OR gateway_id = $1 GROUP BY gateway_id
  )
  SELECT coalesce(o.gateway_id, a.gateway_id) AS id, g.host, g.process_id, CASE WHEN g.host IS NOT NULL THEN g.started_at END AS started_at,
    CASE WHEN isfinite(o.lease_until) THEN o.lease_until - interval '30 seconds' END AS last_seen_at,
    coalesce(o.lease_until > weir_now(), false) AS alive, coalesce(o.calls, 0) AS open_calls, coalesce(o.amount, 0) AS open_amount,
    coalesce(a.calls, 0) AS apart_calls, coalesce(a.amount, 0) AS apart_amount, g.gone_at
  FROM open o FULL JOIN apart a ON a.gateway_id = o.gateway_id LEFT JOIN gateways g ON g.id = coalesce(o.gateway_id, a.gateway_id)
  WHERE $1::uuid IS NOT NULL OR a.calls > 0 OR o.first_until < weir_now()
  ORDER BY least(a.since, o.first_until), id`;
