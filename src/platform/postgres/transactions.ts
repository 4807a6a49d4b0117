import type { Prisma, PrismaExecutor } from './prisma.js';

/** Changes in several modules, all or none. */
export class Transactions {
  constructor(private readonly prisma: Prisma) {}

  run<T>(work: (db: PrismaExecutor) => Promise<T>): Promise<T> {
    return this.prisma.$transaction(work);
  }
}
