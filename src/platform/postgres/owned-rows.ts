import type { Pool } from 'pg';

/** Rows without a tenant belong to the platform. */
export const PLATFORM = '00000000-0000-0000-0000-000000000000';

/** A table whose rows belong to tenants, as a snapshot reads it. */
export interface OwnedTable {
  /** What is selected, with the names that the rows get. */
  columns: string;
  /** The table, which is called `t`. It has a `tenant_id`. */
  table: string;
  /** Its column that is unique for one owner. */
  key: string;
  /** Which of its rows. */
  where: string;
  /** What a page of rows is joined with, by `LEFT JOIN`, and which of the rows then stay. */
  joined?: { joins: string; where: string };
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

async function* rowsInOrder<Row>(pool: Pool, table: OwnedTable, owners: readonly string[] | null): AsyncGenerator<Row & { owner: string }> {
  if (table.platform && (owners === null || owners.includes(PLATFORM))) {
    const { key } = table;
    const text = pageOf(table, `'${PLATFORM}'`, `t.tenant_id IS NULL AND t.${key} > $1`, `t.${key}`);
    yield* pages<Row>(pool, text, ({ key }) => [key], [FIRST]);
  }
  const tenants = owners?.filter((owner) => owner !== PLATFORM);
  if (tenants?.length === 0) return;
  const whose = tenants ? 't.tenant_id = ANY($3::uuid[])' : 't.tenant_id IS NOT NULL';
  const order = `t.tenant_id, t.${table.key}`;
  const text = pageOf(table, 't.tenant_id', `${whose} AND (${order}) > ($1, $2)`, order);
  const rest = tenants ? [tenants] : [];
  yield* pages<Row>(pool, text, ({ owner, key }) => [owner, key, ...rest], [FIRST, FIRST, ...rest]);
}

/** The page is cut before it is joined: else Postgres may sort all that an owner has for each page of it. */
function pageOf({ table, columns, key, where, joined }: OwnedTable, owner: string, after: string, order: string): string {
  return `SELECT t.${key} AS "key", ${owner} AS owner, ${joined ? `(${joined.where})` : 'true'} AS stays, ${columns}
    FROM (SELECT t.* FROM ${table} t WHERE ${after} AND ${where} ORDER BY ${order} LIMIT ${PAGE}) t ${joined?.joins ?? ''} ORDER BY ${order}`;
}

type Keyed<Row> = Row & { owner: string; key: string; stays: boolean };

async function* pages<Row>(pool: Pool, text: string, after: (row: Keyed<Row>) => unknown[], first: unknown[]): AsyncGenerator<Keyed<Row>> {
  let values = first;
  for (;;) {
    const { rows } = await pool.query<Keyed<Row> & Record<string, unknown>>(text, values);
    for (const row of rows) if (row.stays) yield row;
    if (rows.length < PAGE) return;
    values = after(rows.at(-1)!);
  }
}
