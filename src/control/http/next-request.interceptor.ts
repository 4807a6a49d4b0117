import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { mergeMap, type Observable } from 'rxjs';
import { ConfigChanges } from '../../platform/postgres/index.js';
import { LOGGER, type Logger } from '../../platform/telemetry/index.js';

/** An answer does not wait longer; what it changed is then seen a little later. */
const PATIENCE_MS = 2_000;

/** Answers a change only when the calls of this process go by it: the next request, to either listener, sees it. */
@Injectable()
export class NextRequestInterceptor implements NestInterceptor {
  constructor(
    private readonly changes: ConfigChanges,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method } = context.switchToHttp().getRequest<FastifyRequest>();
    if (method === 'GET' || method === 'HEAD') return next.handle();
    return next.handle().pipe(
      mergeMap(async (answer) => {
        await this.seen();
        return answer;
      }),
    );
  }

  private async seen(): Promise<void> {
    let patience: NodeJS.Timeout | undefined;
    const limit = new Promise<false>((resolve) => {
      patience = setTimeout(resolve, PATIENCE_MS, false);
    });
    // A read that fails raises its own alarm, and is repeated.
    const inTime = await Promise.race([
      limit,
      this.changes.catchUp().then(
        () => true,
        () => true,
      ),
    ]);
    clearTimeout(patience);
    if (!inTime) this.log.warn({ waited_ms: PATIENCE_MS }, 'a change was confirmed before this process applied it');
  }
}
