import { Injectable } from '@nestjs/common';
import { Prisma, type PrismaExecutor } from '../platform/postgres/index.js';

/** Changes in several modules, all or none. */
@Injectable()
export class Transactions {
  constructor(private readonly prisma: Prisma) {}

  run<T>(work: (db: PrismaExecutor) => Promise<T>): Promise<T> {
    return this.prisma.$transaction(work);
  }
}
