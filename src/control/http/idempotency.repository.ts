import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';

/** A request that was seen before. */
export interface Remembered {
  fingerprint: Buffer;
  /** Sealed, because it may hold a secret that is shown once. Null: still running. */
  response: Buffer | null;
}

/** How long a response is remembered, and how long a request may be running before its process is taken for dead. */
const REMEMBERED_FOR = '24 hours';
const RUNNING_FOR = '1 minute';

/** Requests by the admin key that sent them and the `Idempotency-Key` it chose. */
@Injectable()
export class IdempotencyRepository {
  constructor(private readonly pool: Pool) {}

  /** Null: the request is new, and now known to be running. */
  async begin(scope: string, key: string, fingerprint: Buffer): Promise<Remembered | null> {
    await this.pool.query(
      `DELETE FROM idempotency_keys WHERE created_at < now() - interval '${REMEMBERED_FOR}' OR (status IS NULL AND created_at < now() - interval '${RUNNING_FOR}')`,
    );
    const claim = await this.pool.query(
      'INSERT INTO idempotency_keys (scope, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT (scope, key) DO NOTHING',
      [scope, key, fingerprint],
    );
    if (claim.rowCount === 1) return null;
    const { rows } = await this.pool.query<Remembered>('SELECT fingerprint, response FROM idempotency_keys WHERE scope = $1 AND key = $2', [
      scope,
      key,
    ]);
    return rows[0] ?? { fingerprint, response: null };
  }

  async finish(scope: string, key: string, status: number, response: Buffer): Promise<void> {
    await this.pool.query('UPDATE idempotency_keys SET status = $3, response = $4 WHERE scope = $1 AND key = $2', [
      scope,
      key,
      status,
      response,
    ]);
  }

  async forget(scope: string, key: string): Promise<void> {
    await this.pool.query('DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2', [scope, key]);
  }
}
