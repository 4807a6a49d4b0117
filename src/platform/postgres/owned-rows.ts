import type { Pool } from 'pg';

/** Rows without a tenant belong to the platform. */
export const PLATFORM = '00000000-0000-0000-0000-000000000000';

/** A table whose rows belong to tenants, as a snapshot reads it. */
export interface OwnedTable {
  /** What is selected, with the names that the rows get. */
  columns: string;
  /** The table, called `t`, and what it is joined with. It has a `tenant_id`. */
  from: string;
  /** Its column that is unique for one owner. */
  key: string;
  where: string;
  /** It may have rows of the platform's, without a tenant. */
  platform: boolean;
}

const PAGE = 2_000;
const FIRST = PLATFORM;

/**
 * The rows of these owners (null: of all), owner by owner, each owner's in the order of the key. Read a page at a time, so neither their number
 * nor that of the owners has a bound. An owner without rows is not answered.
 * @param decode is given each row as it comes; what it answers undefined for is left out.
 */
export async function* rowsByOwner<Row, Item>(
  pool: Pool,
  table: OwnedTable,
  owners: readonly string[] | null,
  decode: (row: Row & { owner: string }) => Item | undefined | Promise<Item | undefined>,
): AsyncGenerator<[owner: string, items: Item[]]> {
  let owner: string | null = null;
  let items: Item[] = [];
  for await (const row of rowsInOrder<Row>(pool, table, owners)) {
    if (row.owner !== owner) {
      if (owner !== null && items.length > 0) yield [owner, items];
      owner = row.owner;
      items = [];
    }
    const item = await decode(row);
    if (item !== undefined) items.push(item);
  }
  if (owner !== null && items.length > 0) yield [owner, items];
}

async function* rowsInOrder<Row>(
  pool: Pool,
  { columns, from, key, where, platform }: OwnedTable,
  owners: readonly string[] | null,
): AsyncGenerator<Row & { owner: string }> {
  const select = `SELECT t.${key} AS "key", ${columns}`;
  if (platform && (owners === null || owners.includes(PLATFORM))) {
    const text = `${select}, '${PLATFORM}' AS owner FROM ${from} WHERE t.tenant_id IS NULL AND ${where} AND t.${key} > $1
      ORDER BY t.${key} LIMIT ${PAGE}`;
    yield* pages<Row>(pool, text, ({ key }) => [key], [FIRST]);
  }
  const tenants = owners?.filter((owner) => owner !== PLATFORM);
  if (tenants?.length === 0) return;
  const text = `${select}, t.tenant_id AS owner FROM ${from} WHERE ${tenants ? 't.tenant_id = ANY($3::uuid[])' : 't.tenant_id IS NOT NULL'} AND ${where}
    AND (t.tenant_id, t.${key}) > ($1, $2) ORDER BY t.tenant_id, t.${key} LIMIT ${PAGE}`;
  const rest = tenants ? [tenants] : [];
  yield* pages<Row>(pool, text, ({ owner, key }) => [owner, key, ...rest], [FIRST, FIRST, ...rest]);
}

type Keyed<Row> = Row & { owner: string; key: string };

async function* pages<Row>(pool: Pool, text: string, after: (row: Keyed<Row>) => unknown[], first: unknown[]): AsyncGenerator<Keyed<Row>> {
  let values = first;
  for (;;) {
    const { rows } = await pool.query<Keyed<Row> & Record<string, unknown>>(text, values);
    yield* rows;
    if (rows.length < PAGE) return;
    values = after(rows.at(-1)!);
  }
}
