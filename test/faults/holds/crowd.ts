import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { HoldRequest } from '../../../src/ledger/index.js';
import { sqlFunction } from '../../../src/platform/postgres/index.js';
import { insertTenant } from '../../support/ledger.js';
import type { Random } from './random.js';

type Scopes = HoldRequest['scopes'];

/** Whom the callers call for: each entry is a tenant with the scopes of one of its keys. */
export interface Payer {
  tenantId: string;
  scopes: Scopes;
}

const TENANTS = 2;
const PROJECTS = 2;
const KEYS = 2;
/** The dearest call, in nano-USD. */
const MOST = 1_000_000;
/** The average of what {@link amountOf} answers. */
const MEAN = MOST / Math.log(MOST);

/** From one nano-dollar to {@link MOST}; small ones are as frequent as large ones. */
export const amountOf = (random: Random): bigint => BigInt(Math.floor(MOST ** random.next()));

/**
 * Tenants with budgets on themselves, their projects and their keys, which all their calls share. Each budget holds between an eighth and
 * two thirds of what so many callers would hold on it all at once, so that some of them stand in the way most of the time.
 */
export async function insertPayers(db: Pool, callers: number, random: Random): Promise<Payer[]> {
  const payers: Payer[] = [];
  for (let t = 0; t < TENANTS; t++) {
    const expected = (callers * MEAN) / TENANTS;
    const limit = (shares: number) => BigInt(Math.ceil((expected / shares) * (0.125 + random.next() * 0.54)));
    const projects = Array.from({ length: PROJECTS }, () => ({ kind: 'project', value: randomUUID() }));
    const keys = projects.flatMap((project) =>
      Array.from({ length: KEYS }, () => ({ project, key: { kind: 'api_key', value: randomUUID() } })),
    );
    const tenantId = await insertTenant(db, [
      { limit: limit(1), period: 'lifetime' },
      ...projects.map((project) => ({ ...project, limit: limit(PROJECTS), period: 'lifetime' })),
      ...keys.map(({ key }) => ({ ...key, limit: limit(PROJECTS * KEYS), period: 'lifetime' })),
    ]);
    payers.push(...keys.map(({ project, key }) => ({ tenantId, scopes: [{ kind: 'tenant', value: tenantId }, project, key] })));
  }
  return payers;
}

/**
 * Brings budgets that are nearly spent back to zero, as an administrator would, so that there is something to hold until the end. One by one:
 * who locks several periods must do so in the order of their ids, and a reset knows its own only.
 */
export async function resetSpent(db: Pool, random: Random): Promise<number> {
  const { rows } = await db.query<{ tenant_id: string; budget_id: string; scope_value: string }>(
    'SELECT tenant_id, budget_id, scope_value FROM budget_periods WHERE spent >= limit_nano * $1::float',
    [0.3 + random.next() * 0.7],
  );
  for (const { tenant_id, budget_id, scope_value } of rows) {
    await db.query(`SELECT ${sqlFunction('reset_period')}($1, $2, $3, 'test', 'spent', gen_random_uuid())`, [
      tenant_id,
      budget_id,
      scope_value,
    ]);
  }
  return rows.length;
}
