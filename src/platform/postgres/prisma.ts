import { PrismaPg } from '@prisma/adapter-pg';
import { sqlFunction } from './functions.js';
import { Prisma as Generated, PrismaClient } from './generated/client.js';
import type { Pool } from './pool.js';

/** The control plane's client. Never on the request lifecycle. */
export class Prisma extends PrismaClient {
  /** @param pool stays its owner's to end. */
  constructor(pool: Pool, schema = 'public') {
    super({ adapter: new PrismaPg(pool, { schema }) });
  }
}

/** The client, or a transaction of it. */
export type PrismaExecutor = Generated.TransactionClient;

/** The row that was to be unique exists already. */
export const isUniqueViolation = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'P2002';

/** What an SQL function is called in Postgres, for `$queryRaw` and the like. */
export const functionSql = (name: string): Generated.Sql => Generated.raw(sqlFunction(name));
