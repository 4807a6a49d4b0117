import { Inject, Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Id } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { sqlFunction } from '../platform/postgres/index.js';

/** Whose key it is, and which call runs for it. */
export interface Claimed {
  tenantId: Id;
  /** Digest of the API key, the endpoint and the client's key. */
  id: Buffer;
  callId: Id;
}

export type Became =
  | { became: 'claimed' | 'running' | 'mismatch' | 'spent' }
  /** With the first call, and its sealed answer. */
  | { became: 'kept'; firstCall: Id; kept: Buffer };

const CLAIM = `SELECT became, first_call AS "firstCall", kept FROM ${sqlFunction('claim_call')}($1, $2, $3, $4, $5)`;
const KEEP = `SELECT ${sqlFunction('keep_answer')}($1, $2, $3, $4, $5) AS kept`;
const FREE = `DELETE FROM idempotent_calls WHERE tenant_id = $1 AND id = $2 AND call_id = $3 AND state = 'running'`;

/** An answer waits for it: longer than this it is not worth it. */
const KEEP_TIMEOUT_MS = 2_000;
const PURGE_BATCH = 1_000;

/** pg takes a timeout per query, which its types do not know. */
type QueryConfig = import('pg').QueryConfig & { query_timeout: number };

/** Calls by the digest of their `Idempotency-Key`. */
@Injectable()
export class IdempotencyRepository {
  constructor(
    private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'timeouts'>,
  ) {}

  async claim({ tenantId, id, callId }: Claimed, fingerprint: Buffer, gatewayId: Id): Promise<Became> {
    const { rows } = await this.pool.query<Became>({
      name: 'claim_call',
      text: CLAIM,
      values: [tenantId, id, fingerprint, callId, gatewayId],
      query_timeout: this.config.timeouts.ledgerMs,
    } as QueryConfig);
    return rows[0]!;
  }

  /** Keeps an answer, unless its tenant has too many bytes of them. @param answer null: it is not to be kept; the key is spent. */
  async keep({ tenantId, id, callId }: Claimed, answer: Buffer | null, maxTotalBytes: number): Promise<void> {
    await this.pool.query({
      name: 'keep_answer',
      text: KEEP,
      values: [tenantId, id, callId, answer, maxTotalBytes],
      query_timeout: KEEP_TIMEOUT_MS,
    } as QueryConfig);
  }

  /** Lets another call have the key. */
  async free({ tenantId, id, callId }: Claimed): Promise<void> {
    await this.pool.query({ name: 'free_call', text: FREE, values: [tenantId, id, callId], query_timeout: KEEP_TIMEOUT_MS } as QueryConfig);
  }

  /** Removes what is a day old, and the answers of tenants that keep none; no more than begins within `patienceMs`. Answers how many. */
  async purge(patienceMs: number): Promise<number> {
    const until = performance.now() + patienceMs;
    let total = 0;
    for (let found = PURGE_BATCH; found >= PURGE_BATCH && performance.now() < until; total += found) {
      const { rows } = await this.pool.query<{ count: number }>(`SELECT ${sqlFunction('purge_answers')}($1) AS count`, [PURGE_BATCH]);
      found = rows[0]!.count;
    }
    return total;
  }
}
