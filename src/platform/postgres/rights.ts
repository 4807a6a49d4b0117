import { createHash } from 'node:crypto';
import pg from 'pg';
import { PLAIN_NAME } from './functions.js';
import { GRANTS } from './grants.js';

const INSUFFICIENT_PRIVILEGE = '42501';
const EXISTS_ALREADY = /^(42710|23505)$/;
const LONGEST_NAME = 63;

/** The role of `DATABASE_URL` may not do all that a start has to: an administrator has to. */
class MissingRights extends Error {
  constructor(login: string, statements: readonly string[]) {
    super(
      `the Postgres role "${login}" lacks rights to prepare the database. As an administrator of the database, run:\n\n${statements.map((line) => `  ${line};`).join('\n')}\n\nand start Weir again`,
    );
  }
}

/** Where an installation lives in a cluster, and as which role its processes work. */
export interface Place {
  schema: string;
  role: string;
}

interface Wanted {
  /** As set; null: the one that it had, else one by the names of database and schema. */
  role: string | null;
  /** The role of `DATABASE_URL`, where it is another than the one connected here. */
  login: string | null;
  hasQueues: boolean;
  /** Names of the SQL functions, without their versions. */
  functions: readonly string[];
}

interface Found {
  login: string;
  database: string;
  schema: string | null;
  /** The first schema of the search path, whether it exists or not. */
  wanted: string;
}

/**
 * Finds the schema of an installation and sees to it that its run-time role is there and may be worked as. Only what is missing is made.
 * @throws MissingRights with all that is missing, also of the tables and of the queues' schema.
 */
export async function prepareRole(client: pg.Client, { role, login, hasQueues, functions }: Wanted): Promise<Place> {
  const rights = await Rights.of(client);
  const schema = rights.found.schema ?? (await rights.createSchema());
  await rights.useSchema(schema);
  await rights.ownAll(schema, functions);
  if (hasQueues) await rights.useQueues(queueSchemaOf(schema));
  const chosen = role ?? (await rights.knownRole()) ?? roleOf(rights.found.database, schema);
  await rights.beWorkedAs(chosen, login);
  rights.assertComplete();
  return { schema, role: chosen };
}

/**
 * Gives the run-time role what it has not got of {@link GRANTS}, and notes which role it is. A restore into a cluster without the role loses all of it.
 */
export async function grantRights(client: pg.Client, place: Place): Promise<void> {
  const rights = await Rights.of(client);
  for (const statement of await rights.missingGrants(place)) await client.query(statement);
  if ((await rights.storedRole()) !== place.role) {
    const literal = pg.escapeLiteral(place.role).replaceAll("'", "''");
    await client.query(`CREATE OR REPLACE FUNCTION weir_runtime_role() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ${literal}::text'`);
  }
}

/** Installations in one database have queues each. */
export const queueSchemaOf = (schema: string): string => (schema === 'public' ? 'bullmq' : `${schema}_bullmq`);

/** Another one for each schema of each database of a cluster, since roles belong to the cluster. */
function roleOf(database: string, schema: string): string {
  const name = schema === 'public' ? `weir_run_${database}` : `weir_run_${database}__${schema}`;
  if (/^[a-z0-9_]+$/.test(name) && name.length <= LONGEST_NAME) return name;
  const hash = createHash('sha256').update(`${database}.${schema}`).digest('hex').slice(0, 8);
  return `${name
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, '_')
    .slice(0, LONGEST_NAME - 9)}_${hash}`;
}

const quoted = pg.escapeIdentifier;

/** What the connected role can do and cannot. */
class Rights {
  private readonly missing: string[] = [];

  private constructor(
    private readonly client: pg.Client,
    readonly found: Found,
  ) {}

  static async of(client: pg.Client): Promise<Rights> {
    const { rows } = await client.query<Found>(
      `SELECT current_user AS login, current_database() AS database, current_schema() AS schema,
         replace(trim('" ' FROM split_part(current_setting('search_path'), ',', 1)), '$user', current_user) AS wanted`,
    );
    return new Rights(client, rows[0]!);
  }

  /** @throws MissingRights when somebody else has to do something first. */
  assertComplete(): void {
    if (this.missing.length > 0) throw new MissingRights(this.found.login, this.missing);
  }

  async createSchema(): Promise<string> {
    const { wanted, login } = this.found;
    await this.try(`CREATE SCHEMA ${quoted(wanted)}`, `CREATE SCHEMA ${quoted(wanted)} AUTHORIZATION ${quoted(login)}`);
    this.assertComplete();
    return wanted;
  }

  async useSchema(schema: string): Promise<void> {
    if (await this.is('SELECT has_schema_privilege($1::regnamespace, $2)', [quoted(schema), 'CREATE'])) return;
    this.missing.push(`GRANT USAGE, CREATE ON SCHEMA ${quoted(schema)} TO ${quoted(this.found.login)}`);
  }

  /** Makes the schema of the queues. What BullMQ made in it, it may have to change. */
  async useQueues(schema: string): Promise<void> {
    const [name, owner] = [quoted(schema), quoted(this.found.login)];
    if (!(await this.is('SELECT to_regnamespace($1) IS NOT NULL', [name])))
      return void (await this.try(`CREATE SCHEMA ${name}`, `CREATE SCHEMA ${name} AUTHORIZATION ${owner}`));
    if (!(await this.is('SELECT has_schema_privilege($1::regnamespace, $2)', [name, 'CREATE'])))
      this.missing.push(`ALTER SCHEMA ${name} OWNER TO ${owner}`);
    await this.own(
      `SELECT 'TABLE' AS kind, oid::regclass::text AS name, relowner AS owner FROM pg_class c WHERE relnamespace = $1::regnamespace
         AND relkind IN ('r', 'p', 'v', 'S') AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype IN ('a', 'i') AND relkind = 'S')
       UNION ALL SELECT 'FUNCTION', oid::regprocedure::text, proowner FROM pg_proc WHERE pronamespace = $1::regnamespace
       UNION ALL SELECT 'TYPE', oid::regtype::text, typowner FROM pg_type WHERE typnamespace = $1::regnamespace AND typtype IN ('e', 'd')`,
      [name],
    );
  }

  async knownRole(): Promise<string | null> {
    const known = await this.storedRole();
    return known !== null && (await this.exists(known)) && (await this.mayAct(this.found.login, known)) ? known : null;
  }

  async storedRole(): Promise<string | null> {
    if (!(await this.is(`SELECT to_regprocedure('weir_runtime_role()') IS NOT NULL`))) return null;
    return (await this.client.query<{ role: string }>('SELECT weir_runtime_role() AS role')).rows[0]!.role;
  }

  async beWorkedAs(role: string, otherLogin: string | null): Promise<void> {
    const login = otherLogin !== null && (await this.exists(otherLogin)) ? otherLogin : this.found.login;
    const isThere = (await this.exists(role)) || (await this.try(`CREATE ROLE ${quoted(role)} NOLOGIN`));
    if (isThere && (await this.mayAct(login, role))) return;
    const grant = `GRANT ${quoted(role)} TO ${quoted(login)}`;
    if (isThere) await this.try(grant);
    else this.missing.push(grant);
  }

  /** Every table and function of the schema that Weir made is the connected role's, or that of a role which it is a member of. */
  async ownAll(schema: string, functions: readonly string[]): Promise<void> {
    await this.own(
      `SELECT 'TABLE' AS kind, c.oid::regclass::text AS name, c.relowner AS owner FROM pg_class c
           WHERE c.relnamespace = $1::regnamespace AND (c.relname = ANY ($2) OR c.relispartition) AND c.relkind IN ('r', 'p', 'S')
         UNION ALL
         SELECT 'FUNCTION', p.oid::regprocedure::text, p.proowner FROM pg_proc p WHERE p.pronamespace = $1::regnamespace AND ${PLAIN_NAME} = ANY ($2)`,
      [
        quoted(schema),
        [...Object.keys({ ...GRANTS.tables, ...GRANTS.sequences }), ...functions, '_prisma_migrations', 'function_versions'],
      ],
    );
  }

  async missingGrants({ schema, role }: Place): Promise<string[]> {
    const { tables, sequences, functions } = GRANTS;
    const { rows } = await this.client.query<{ statement: string }>(
      `SELECT format('GRANT USAGE ON SCHEMA %I TO %I', $1::text, $2::text) AS statement
         WHERE NOT has_schema_privilege($2, $1, 'USAGE') OR has_schema_privilege($1, 'USAGE WITH GRANT OPTION') AND NOT EXISTS (
           SELECT FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = $1 AND a.grantee = $2::regrole AND a.privilege_type = 'USAGE')
       UNION ALL
       SELECT format('GRANT %s ON TABLE %s TO %I', privilege, c.oid::regclass, $2) FROM json_each_text($3) AS t (name, privileges)
         JOIN pg_class c ON c.relname = t.name AND c.relnamespace = quote_ident($1)::regnamespace, regexp_split_to_table(privileges, ', ') AS privilege
         WHERE NOT has_table_privilege($2, c.oid, privilege)
       UNION ALL
       SELECT format('GRANT USAGE ON SEQUENCE %s TO %I', c.oid::regclass, $2) FROM json_each_text($4) AS t (name)
         JOIN pg_class c ON c.relname = t.name AND c.relnamespace = quote_ident($1)::regnamespace 
         WHERE CASE WHEN c.relkind = 'S' THEN NOT has_sequence_privilege($2, c.oid, 'USAGE') END
       UNION ALL
       SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure) FROM pg_proc p, json_each_text($5) AS t (name)
         WHERE ${PLAIN_NAME} = t.name AND p.pronamespace = quote_ident($1)::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
       UNION ALL
       SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, $2) FROM pg_proc p, json_each_text($5) AS t (name, who)
         WHERE ${PLAIN_NAME} = t.name AND p.pronamespace = quote_ident($1)::regnamespace AND who = 'runtime'
           AND NOT EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = $2::regrole AND a.privilege_type = 'EXECUTE')`,
      [schema, role, JSON.stringify(tables), JSON.stringify(sequences), JSON.stringify(functions)],
    );
    return rows.map(({ statement }) => statement);
  }

  /** @param made a query for kind, name and owner of what was made. */
  private async own(made: string, values: unknown[]): Promise<void> {
    const { rows } = await this.client.query<{ statement: string }>(
      `SELECT format('ALTER %s %s OWNER TO %I', kind, name, current_user) AS statement FROM (${made}) made
       WHERE NOT pg_has_role(owner, 'USAGE') ORDER BY 1`,
      values,
    );
    this.missing.push(...rows.map(({ statement }) => statement));
  }

  private exists(role: string): Promise<boolean> {
    return this.is('SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)', [role]);
  }

  /** Since Postgres 16, membership alone is not enough. */
  private mayAct(login: string, role: string): Promise<boolean> {
    return this.is(
      `SELECT pg_has_role($1::name, $2::name, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)`,
      [login, role],
    );
  }

  /** Whether it could be done. What it may not is left to an administrator. */
  private async try(statement: string, asAdministrator = statement): Promise<boolean> {
    try {
      await this.client.query(statement);
      return true;
    } catch (error) {
      const code = String((error as { code?: unknown }).code);
      if (EXISTS_ALREADY.test(code)) return true; // another process has just done it
      if (code !== INSUFFICIENT_PRIVILEGE) throw error;
      this.missing.push(asAdministrator);
      return false;
    }
  }

  private async is(text: string, values: unknown[] = []): Promise<boolean> {
    return Object.values((await this.client.query<Record<string, boolean>>(text, values)).rows[0]!)[0]!;
  }
}
