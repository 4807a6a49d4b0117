import { Inject, Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CallerDirectory } from '../api-keys/index.js';
import { WeirError } from '../kernel/errors.js';
import { JsonCost } from '../kernel/json-cost.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import {
  adviceAt,
  announcedBytes,
  askForBodies,
  BadKeys,
  BodyMemory,
  Connections,
  isAdminPath,
  methodsAt,
  readBody,
  requireUtf8,
  TrustedProxies,
} from '../platform/listener/index.js';
import { Metrics } from '../platform/telemetry/index.js';
import { needsNoKey } from './open-routes.js';
import { isLong, parseBody, parseBodyInTurns, type RequestBody } from './request-body.js';
import { CALL_PATHS, PUBLIC_ROUTES } from './routes.js';
import { verifyCaller } from './surfaces/surface.js';

const BODY_LIMIT_BYTES = 20 * 1024 * 1024;
/** Parsing takes less than 50 ms up to here. */
const MAX_JSON_COST = 300_000;
const MAX_UNVERIFIED_CONNECTIONS = 1_000;
/** The rest of a refused request up to this size is read and thrown away, so that its client gets the answer. */
const MAX_IGNORED_BYTES = 1024 * 1024;

/** What a request must pass before its body is read: a valid key, and room for the body. */
@Injectable()
export class RequestGate {
  private readonly proxies: TrustedProxies;
  private readonly badKeys = new BadKeys();
  private readonly bodies = new BodyMemory(BODY_LIMIT_BYTES);
  private connections: Connections | null = null;

  constructor(
    private readonly callers: CallerDirectory,
    metrics: Metrics,
    @Inject(CONFIG) private readonly config: Pick<Config, 'trustedProxies' | 'maxConnections' | 'timeouts'>,
  ) {
    this.proxies = new TrustedProxies(config.trustedProxies);
    const { badKeys, bodies } = this;
    metrics.watch('weir_connections', 'Connections of clients.', () => this.connections?.size ?? 0);
    metrics.watchTotal(
      'weir_connections_crowded_out_total',
      'Connections closed because there were too many.',
      () => this.connections?.crowdedOut ?? 0,
    );
    metrics.watchTotal('weir_connections_stalled_total', 'Connections closed because the client did not read.', () => {
      return this.connections?.stalled ?? 0;
    });
    metrics.watchTotal('weir_bad_keys_total', 'Requests with an API key that is not valid.', () => badKeys.counted);
    metrics.watch('weir_request_body_bytes', 'Bytes of request bodies in memory.', () => bodies.bytes);
  }

  /** Whether an address is a proxy whose `X-Forwarded-For` is believed. */
  trusts = (address: string): boolean => this.proxies.trusts(address);

  guard(app: FastifyInstance): void {
    const { maxConnections: max, timeouts } = this.config;
    this.connections = new Connections(app.server, {
      max,
      maxUnverified: Math.min(MAX_UNVERIFIED_CONNECTIONS, Math.ceil(max / 2)),
      stallMs: () => timeouts.clientStallMs,
      isProxy: this.trusts,
    });
    app.addHook('onRequest', (request, reply, done) => {
      if (needsNoKey(request)) return done();
      try {
        if (request.is404) throw notFound(request);
        this.admit(request, reply);
      } catch (error) {
        if (announcedBytes(request.raw) > MAX_IGNORED_BYTES) reply.header('connection', 'close');
        return done(this.answerTo(request, error as Error));
      }
      done();
    });
    askForBodies(app);
    app.addContentTypeParser('application/json', (request, payload, done) => {
      const cost = new JsonCost();
      const refusalOf = (chunk: Buffer) => this.refusalOf(request, chunk, cost);
      readBody(payload, BODY_LIMIT_BYTES, refusalOf, (error, bytes) => (error ? done(error) : parse(bytes!, done)));
    });
  }

  /** Of a body that does not fit into memory, or is more work than other calls can wait for. */
  private refusalOf({ raw }: FastifyRequest, chunk: Buffer, cost: JsonCost): WeirError | null {
    if (!this.bodies.take(raw, chunk.length)) return new WeirError('overloaded', { message: NO_ROOM });
    cost.add(chunk);
    return cost.total > MAX_JSON_COST ? new WeirError('request_too_large', { message: TOO_MANY_VALUES }) : null;
  }

  private admit(request: FastifyRequest, reply: FastifyReply): void {
    const { tenantId } = verifyCaller(this.callers, request);
    this.connections!.verified(request.raw.socket, tenantId);
    if (announcedBytes(request.raw) === 0) return;
    requireUtf8(request.raw);
    this.bodies.open(request.raw, tenantId);
    // The call keeps what its body said until it has ended.
    reply.raw.on('close', () => this.bodies.close(request.raw));
  }

  private answerTo({ ip, headers }: FastifyRequest, error: Error): Error {
    const isBadKey =
      error instanceof WeirError && error.code === 'invalid_api_key' && KEY_HEADERS.some((name) => headers[name] !== undefined);
    return isBadKey ? this.badKeys.count(ip, error) : error;
  }
}

function parse(bytes: Buffer, done: (error: Error | null, body?: RequestBody) => void): void {
  if (isLong(bytes.length)) return void parseBodyInTurns(bytes).then((body) => done(null, body), done);
  let body: RequestBody;
  try {
    body = parseBody(bytes);
  } catch (error) {
    return done(error as Error);
  }
  done(null, body);
}

function notFound({ method, url }: FastifyRequest): WeirError {
  const path = url.split('?')[0]!;
  const message = `There is no ${method} ${path} here.${hint(path)} Calls go to POST ${CALL_PATHS.join(', ')}; GET /v1/models lists the models.`;
  return new WeirError('not_found', { message });
}

/** What most who miss a path have done. */
function hint(path: string): string {
  if (isAdminPath(path)) return ' This path belongs to the admin API, which has another listener: see WEIR_ADMIN_HOST and WEIR_ADMIN_PORT.';
  if (path.startsWith('/v1/v1/')) return ' Take the "/v1" off the base URL of your client: it adds its own.';
  if (methodsAt(`/v1${path}`, PUBLIC_ROUTES).length > 0) return ' Add "/v1" to the base URL of your client.';
  const near = adviceAt(path, PUBLIC_ROUTES);
  return near === null ? '' : ` ${near}`;
}

const NO_ROOM = 'The requests in flight fill the memory for request bodies. Send fewer long requests at a time, then try again.';
const TOO_MANY_VALUES =
  'The request body has too many JSON values: at most 300,000 entries of lists, 30,000 members of objects, or 2 MB of their names. Send less in one request.';

const KEY_HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'];
