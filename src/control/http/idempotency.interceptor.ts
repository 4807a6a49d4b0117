import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { firstValueFrom, from, type Observable } from 'rxjs';
import { WeirError } from '../../kernel/errors.js';
import { idempotencyKey } from '../../kernel/idempotency-key.js';
import { fingerprint, Keyring, Secret } from '../../platform/crypto/index.js';
import { LOGGER, type Logger } from '../../platform/telemetry/index.js';
import { isOpen } from './access.js';
import type { AdminRequest } from './admin.js';
import { IdempotencyRepository } from './idempotency.repository.js';

const HEADER = 'idempotency-key';

/** A response as it is kept. */
interface Kept {
  body: unknown;
  etag?: string;
}

/** A POST that carries an `Idempotency-Key` happens once: its repetition gets the first response again. What failed is not remembered. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    private readonly repository: IdempotencyRepository,
    private readonly keyring: Keyring,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<AdminRequest>();
    const key = request.headers[HEADER];
    // Of strangers nobody knows who repeats: what they may do once is told by its own secret.
    if (request.method !== 'POST' || key === undefined || isOpen(request)) return next.handle();
    return from(this.once(idempotencyKey(String(key)), request, http.getResponse<FastifyReply>(), next));
  }

  /** @throws WeirError idempotency_mismatch, idempotency_in_progress */
  private async once(key: string, request: AdminRequest, reply: FastifyReply, next: CallHandler): Promise<unknown> {
    const { tenantId, caller } = request.admin;
    const scope = caller.id;
    const print = fingerprint(request.method, request.url, tenantId ?? '', JSON.stringify(request.body ?? null));
    const context = `v1|idempotency|${scope}|${key}`;

    const known = await this.repository.begin(scope, key, print);
    if (known && !known.fingerprint.equals(print)) throw new WeirError('idempotency_mismatch');
    if (known && !known.response) throw new WeirError('idempotency_in_progress');
    if (known?.response) return replay(JSON.parse((await this.keyring.open(known.response, context)).reveal()) as Kept, reply);

    try {
      const body = await firstValueFrom(next.handle());
      const kept: Kept = { body, etag: reply.getHeader('etag') as string | undefined };
      // It is done: a response that cannot be kept is still the answer.
      await this.keyring
        .seal(tenantId, new Secret(JSON.stringify(kept)), context)
        .then((sealed) => this.repository.finish(scope, key, 200, sealed))
        .catch((error) => this.log.error({ err: error }, 'a response could not be kept for its Idempotency-Key'));
      return body;
    } catch (error) {
      await this.repository.forget(scope, key).catch(() => {});
      throw error;
    }
  }
}

function replay({ body, etag }: Kept, reply: FastifyReply): unknown {
  reply.header('idempotent-replayed', 'true');
  if (etag !== undefined) reply.header('etag', etag);
  return body;
}
