import { Transform, type TransformCallback } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AdminKeysService } from '../../api-keys/index.js';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { WeirError } from '../../kernel/errors.js';
import { hexOf, newId } from '../../kernel/ids.js';
import { JsonCost } from '../../kernel/json-cost.js';
import { AdminSessions, type SignedIn } from '../../people/index.js';
import {
  adviceAt,
  announcedBytes,
  askForBodies,
  BadKeys,
  type KnownRoute,
  methodsAt,
  nearestRoute,
  readRest,
  requireUtf8,
} from '../../platform/listener/index.js';
import { Metrics } from '../../platform/telemetry/index.js';
import { isOpen } from './access.js';
import { REQUEST_ID } from './admin.js';
import { Browsers } from './browsers.js';

/** Who calls the admin REST: checked before a body is read, so that strangers cannot fill the memory. */
@Injectable()
export class AdminGate {
  private readonly badKeys = new BadKeys();
  private readonly routes: KnownRoute[] = [];
  private elsewhere: readonly KnownRoute[] = [];
  private readonly verified = new WeakMap<FastifyRequest, Verified>();

  constructor(
    private readonly adminKeys: AdminKeysService,
    private readonly sessions: AdminSessions,
    private readonly browsers: Browsers,
    metrics: Metrics,
  ) {
    metrics.watchTotal('weir_bad_admin_keys_total', 'Requests with an admin key that is not valid.', () => this.badKeys.counted);
  }

  /** @param elsewhere the routes of the public listener. */
  guard(listener: FastifyInstance, elsewhere: readonly KnownRoute[]): void {
    this.elsewhere = elsewhere;
    listener.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) if (one !== 'HEAD') this.routes.push({ method: one, path: url });
    });
    listener.addHook('onRequest', async (request, reply) => {
      reply.headers({ 'cache-control': 'no-store', [REQUEST_ID]: `req_${hexOf(newId())}` });
      if (announcedBytes(request.raw) === 0) return;
      if (request.is404) throw this.notFound(request);
      if (isOpen(request)) requireSmall(announcedBytes(request.raw));
      else if (!(await this.byKey(request)) && !(await this.bySession(request))) throw new WeirError('invalid_admin_key');
      requireUtf8(request.raw);
    });
    askForBodies(listener);
    listener.addHook('onSend', (request, _reply, _payload, done) => {
      readRest(request.raw);
      done();
    });
    // Operators upload whole price catalogs, and are trusted with the time that takes.
    listener.addHook('preParsing', (request, _reply, payload, done) =>
      done(null, this.verified.get(request)?.caller.kind === 'operator' ? payload : payload.pipe(new Counted(isOpen(request)))),
    );
  }

  /**
   * By the key in `Authorization: Bearer <admin key>`, the only place one is accepted in. Null: the request has no such header. A request is verified once.
   * @throws WeirError invalid_admin_key, address_not_allowed, too_many_bad_keys
   */
  async byKey(request: FastifyRequest): Promise<AdminCaller | null> {
    const known = this.verified.get(request);
    if (known) return known.caller;
    const { authorization } = request.headers;
    if (authorization === undefined) return null;
    const presented = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    const caller = presented ? await this.adminKeys.verify(presented, request.ip) : null;
    if (caller) return this.keep(request, { caller, signedIn: null });
    const refusal = new WeirError('invalid_admin_key');
    throw presented ? this.badKeys.count(request.ip, refusal) : refusal;
  }

  /**
   * By the cookie of a session. Null: the request has none.
   * @throws WeirError session_over, cross_site_request, too_many_bad_keys
   */
  async bySession(request: FastifyRequest): Promise<AdminCaller | null> {
    const token = this.browsers.cookie(request, 'session');
    if (token === null) return null;
    this.browsers.assertOwnPage(request);
    const signedIn = await this.sessions.verify(token, request.ip);
    if (!signedIn) throw this.badKeys.count(request.ip, new WeirError('session_over'));
    return this.keep(request, { caller: callerOf(signedIn), signedIn });
  }

  /** The session that a verified request came with; null: it came with a key. */
  signedIn(request: FastifyRequest): SignedIn | null {
    return this.verified.get(request)?.signedIn ?? null;
  }

  private keep(request: FastifyRequest, verified: Verified): AdminCaller {
    this.verified.set(request, verified);
    return verified.caller;
  }

  /** What is answered at an address without a route. */
  notFound({ method, url }: FastifyRequest): WeirError {
    const path = url.split('?')[0]!;
    return new WeirError('not_found', {
      message: `There is no ${method} ${path} here. ${this.hint(path)}GET /openapi.json lists the routes.`,
    });
  }

  private hint(path: string): string {
    if (methodsAt(path, this.elsewhere).length > 0)
      return 'This path belongs to the API for calls, which has another listener: see WEIR_PUBLIC_HOST and WEIR_PUBLIC_PORT. ';
    const near = adviceAt(path, this.routes) ?? nearestRoute(path.replace(/^(\/v1)?(?=\/)/, '/v1/organization'), this.routes);
    return near === null ? '' : `${near} `;
  }
}

/** Who sent a request. */
interface Verified {
  caller: AdminCaller;
  signedIn: SignedIn | null;
}

function callerOf({ person, isSuspended }: SignedIn): AdminCaller {
  const { id, tenantId, role, projectId } = person;
  // Keys that a person makes outlive its session.
  const bounds = { cidrs: ['*'], expiresAt: null };
  if (tenantId === null || role === 'operator') return { kind: 'operator', by: 'person', id, tenantId: null, ...bounds };
  return { kind: 'person', id, tenantId, role, projectId, isSuspended, ...bounds };
}

/** What strangers may send: far more than an address, a password and a token have. */
const MAX_OPEN_BYTES = 8 * 1024;

/** @throws WeirError request_too_large */
function requireSmall(bytes: number): void {
  if (Number.isFinite(bytes) && bytes > MAX_OPEN_BYTES) throw new WeirError('request_too_large');
}

/** Checking takes less than 50 ms up to here. */
const MAX_JSON_COST = 50_000;
const TOO_MANY_VALUES =
  'The request body has too many JSON values: at most 50,000 entries of lists, 5,000 members of objects, or 400 KB of their names. Send less in one request.';

/** A body as it is, unless checking it would be more work than other requests can wait for. */
class Counted extends Transform {
  /** As Fastify asks of streams that it reads in place of a request. */
  receivedEncodedLength = 0;
  private readonly cost = new JsonCost();

  constructor(private readonly isOpen: boolean) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.receivedEncodedLength += chunk.length;
    this.cost.add(chunk);
    if (this.isOpen && this.receivedEncodedLength > MAX_OPEN_BYTES) return done(new WeirError('request_too_large'));
    if (this.cost.total > MAX_JSON_COST) done(new WeirError('request_too_large', { message: TOO_MANY_VALUES }));
    else done(null, chunk);
  }
}
