import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Id } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import type { Scope } from '../ledger/index.js';
import { sqlFunction } from '../platform/postgres/index.js';
import type { Approval, ApprovalState, Decider, Decision, Short } from './approval.js';

/** A call that its budgets have too little for. */
export interface AskedApproval {
  id: Id;
  tenantId: Id;
  projectId: Id;
  apiKeyId: Id;
  endpoint: string;
  model: string;
  /** Digest of what is asked for. */
  fingerprint: Buffer;
  amount: Nano;
  scopes: readonly Scope[];
  facts: { end_user?: string; session?: string; tags?: readonly string[] };
  /** The approval that the request named. */
  presented: Id | null;
}

/** The request that stands for a call. */
export type Standing =
  | { became: 'asked' | 'waiting' | 'approved' | 'rejected'; id: Id; shorts: Short[]; expiresAt: Date | null; reason: string | null }
  | { became: 'full'; shorts: Short[] };

/** Which approvals are asked for. Null: whichever. */
export interface ApprovalQuery {
  state: ApprovalState | null;
  after?: Id | undefined;
  before?: Id | undefined;
  limit: number;
  order: 'asc' | 'desc';
}

interface ShortRow {
  budget_id: string;
  scope_kind: string;
  scope_value: string;
  limit: string;
  spent: string;
  held: string;
  short: string;
  resets_at: number | null;
}

type ApprovalRow = Omit<Approval, 'shorts' | 'endUser' | 'session' | 'tags'> & { shorts: ShortRow[]; facts: AskedApproval['facts'] };

/** How long a request waits for its decision, and how long one that was rejected stays so. */
const PATIENCE = '24 hours';
/** How long one that was approved once can be used. */
const USABLE = '15 minutes';
/** Of a tenant, that wait at once. */
const MAX_PENDING = 100;

const APPROVAL = `id, project_id AS "projectId", api_key_id AS "apiKeyId", endpoint, model, amount, shorts, facts, by_operator AS "byOperator", four_eyes AS "fourEyes",
  CASE WHEN expires_at <= weir_now() AND (state = 'pending' OR state = 'approved' AND kind = 'once') THEN 'expired' ELSE state END AS state,
  kind, granted, decided_by AS "decidedBy", decided_at AS "decidedAt", reason, created_at AS "createdAt", expires_at AS "expiresAt"`;

@Injectable()
export class ApprovalsRepository {
  constructor(private readonly pool: Pool) {}

  /** The request that stands for a call, made where there is none. Null: no approval would help. */
  async request(asked: AskedApproval): Promise<Standing | null> {
    const { rows } = await this.pool.query<{
      became: Standing['became'];
      id: Id;
      shorts: ShortRow[];
      expires_at: Date;
      reason: string | null;
    }>(
      `SELECT became, id, shorts, expires_at, reason FROM ${sqlFunction('request_approval')}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '${PATIENCE}')`,
      [
        asked.tenantId,
        asked.id,
        asked.projectId,
        asked.apiKeyId,
        asked.endpoint,
        asked.model,
        asked.fingerprint,
        asked.amount,
        asked.scopes.map(({ kind }) => kind),
        asked.scopes.map(({ value }) => value),
        asked.facts,
        asked.presented,
        MAX_PENDING,
      ],
    );
    const [row] = rows;
    if (!row) return null;
    const shorts = row.shorts.map(toShort);
    return row.became === 'full' ? { became: 'full', shorts } : { ...row, became: row.became, shorts, expiresAt: row.expires_at };
  }

  /** @param apiKeyId only if that key asked; null: whichever. */
  async find(tenantId: Id, id: Id, apiKeyId: Id | null = null): Promise<Approval | null> {
    const { rows } = await this.pool.query<ApprovalRow>(
      `SELECT ${APPROVAL} FROM approvals WHERE tenant_id = $1 AND id = $2 AND ($3::uuid IS NULL OR api_key_id = $3)`,
      [tenantId, id, apiKeyId],
    );
    return rows[0] ? toApproval(rows[0]) : null;
  }

  /** One more than asked for, where there are more. */
  async list(tenantId: Id, { state, after, before, limit, order }: ApprovalQuery): Promise<Approval[]> {
    const backwards = before !== undefined && after === undefined;
    const [up, down] = order === 'asc' ? ['>', '<'] : ['<', '>'];
    const { rows } = await this.pool.query<ApprovalRow>(
      `SELECT * FROM (
         SELECT ${APPROVAL} FROM approvals WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id ${up} $2) AND ($3::uuid IS NULL OR id ${down} $3)
       ) a WHERE $4::text IS NULL OR a.state = $4 ORDER BY a.id ${(order === 'asc') === backwards ? 'DESC' : 'ASC'} LIMIT $5`,
      [tenantId, after ?? null, before ?? null, state, limit + 1],
    );
    const page = rows.map(toApproval);
    return backwards ? page.reverse() : page;
  }

  /** What became of it: see `decide_approval`. */
  async decide(
    tenantId: Id,
    id: Id,
    decision: Decision,
    { actor, isOperator }: Decider,
    reason: string | null,
  ): Promise<'decided' | 'same' | 'other' | 'operator' | 'maker' | 'unknown'> {
    const grant = decision.approves ? decision.grant : null;
    const { rows } = await this.pool.query(
      `SELECT ${sqlFunction('decide_approval')}($1, $2, $3, $4, make_interval(secs => $5), '${USABLE}', $6, $7, $8) AS became`,
      [tenantId, id, decision.approves, grant?.amount ?? null, grant?.seconds ?? null, actor, isOperator, reason],
    );
    return rows[0].became;
  }

  /** Takes back what a call that has ended did not need of what was granted for it. */
  async takeBack(tenantId: Id, holdId: Id): Promise<void> {
    await this.pool.query(`SELECT ${sqlFunction('take_back_grants')}($1, $2, 100)`, [tenantId, holdId]);
  }

  /** Ends what is over: requests, approvals, and grants for a time or for a call. Answers how many there were, at most `limit` of each. */
  async tidy(limit: number): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>(
      `SELECT greatest(${sqlFunction('expire_approvals')}($1), ${sqlFunction('take_back_grants')}(NULL, NULL, $1), ${sqlFunction('purge_approvals')}($1)) AS count`,
      [limit],
    );
    return rows[0]!.count;
  }
}

const toShort = (row: ShortRow): Short => ({
  budgetId: row.budget_id,
  scopeKind: row.scope_kind,
  scopeValue: row.scope_value,
  limit: BigInt(row.limit),
  spent: BigInt(row.spent),
  held: BigInt(row.held),
  short: BigInt(row.short),
  resetsAt: row.resets_at,
});

const toApproval = ({ shorts, facts, ...row }: ApprovalRow): Approval => ({
  ...row,
  shorts: shorts.map(toShort),
  endUser: facts.end_user ?? null,
  session: facts.session ?? null,
  tags: facts.tags ?? [],
});
