import type { Pool } from './pool.js';

/** The role a process works as is not held back by Postgres. */
class UnboundRole extends Error {}

interface RoleRow {
  name: string;
  superuser: boolean;
  bypasses: boolean;
  /** A table that it owns. */
  owns: string | null;
}

/** @throws UnboundRole when the role of this pool's sessions is a superuser, ignores row-level security, or owns what it works on. */
export async function assertBoundRole(pool: Pool): Promise<void> {
  const { rows } = await pool.query<RoleRow>(
    `SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolbypassrls AS bypasses, (
       SELECT c.relname FROM pg_class c WHERE c.relrowsecurity AND c.relnamespace = current_schema()::regnamespace
         AND pg_has_role(r.oid, c.relowner, 'USAGE') ORDER BY 1 LIMIT 1) AS owns
     FROM pg_roles r WHERE r.rolname = current_user`,
  );
  const { name, superuser, bypasses, owns } = rows[0]!;
  const refuse = (what: string, remedy: string) => {
    throw new UnboundRole(
      `the Postgres role "${name}", which every process works as, ${what}, so nothing would keep tenants apart; ${remedy}`,
    );
  };
  if (superuser) refuse('is a superuser', `run: ALTER ROLE "${name}" NOSUPERUSER`);
  if (bypasses) refuse('ignores row-level security', `run: ALTER ROLE "${name}" NOBYPASSRLS`);
  if (owns !== null)
    refuse(`owns the table ${owns}`, `give the tables to the role of DATABASE_URL, and do not make "${name}" a member of it`);
}
