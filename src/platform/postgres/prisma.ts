import { PrismaPg } from '@prisma/adapter-pg';
import { type Prisma as Generated, PrismaClient } from './generated/client.js';
import { runtimeOptions } from './pool.js';

/** The control plane's client. Never on the road of a call. */
export class Prisma extends PrismaClient {
  constructor(url: string) {
    super({ adapter: new PrismaPg({ connectionString: url, max: 5, connectionTimeoutMillis: 2_000, options: runtimeOptions(10_000) }) });
  }
}

/** The client, or a transaction of it. */
export type PrismaExecutor = Generated.TransactionClient;

/** The row that was to be unique exists already. */
export const isUniqueViolation = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'P2002';
