import { createHmac } from 'node:crypto';
import type { Pool } from 'pg';
import type { Keyring } from '../crypto/index.js';

/** Injection token of the installation's id. */
export const INSTALLATION = Symbol('installation');

/**
 * What sets an installation apart from others that use the same Redis: the same for all its processes, another for a copy of its database on
 * another server or under another name. Tells nothing about either.
 */
export async function installationId({ pepper }: Keyring, pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ name: string }>('SELECT current_database() AS name');
  const server = await pool.query<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()').then(
    (answer) => answer.rows[0]!.id,
    () => '', // the server does not let everybody ask
  );
  return createHmac('sha256', pepper).update(`queues|${server}|${rows[0]!.name}`).digest('hex').slice(0, 16);
}
