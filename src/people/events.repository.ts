import type { PoolClient } from 'pg';
import { type Id, type IdKind, newId, publicId } from '../kernel/ids.js';
import { PLATFORM, sqlFunction } from '../platform/postgres/index.js';

/** Notes for good what was done, in the transaction that does it. @param facts ids with their kind. */
export async function note(
  client: Pick<PoolClient, 'query'>,
  kind: string,
  tenantId: Id | null,
  facts: Readonly<Record<string, string | boolean | readonly [IdKind, Id]>>,
): Promise<void> {
  const payload = Object.fromEntries(
    Object.entries(facts).map(([name, fact]) => [name, Array.isArray(fact) ? publicId(fact[0], fact[1]) : fact]),
  );
  await client.query(`SELECT ${sqlFunction('emit_event')}($1, $2, $3, $4)`, [
    tenantId ?? PLATFORM,
    kind,
    `${kind}:${newId()}`,
    JSON.stringify(payload),
  ]);
}
