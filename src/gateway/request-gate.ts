import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
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
  callsForHeap,
  isAdminPath,
  LoadControl,
  LoadMeter,
  methodsAt,
  readBody,
  requireUtf8,
} from '../platform/listener/index.js';
import { Alarm, LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { needsNoKey } from './open-routes.js';
import { RequestAuth } from './request-auth.js';
import { isLong, parseBody, parseBodyInTurns, type RequestBody } from './request-body.js';
import { CALL_PATHS, isLocalRoute, isPassedThrough, LOCAL_ROUTES, PUBLIC_ROUTES } from './routes.js';

const BODY_LIMIT_BYTES = 20 * 1024 * 1024;
/** Parsing takes less than 50 ms up to here. */
const MAX_JSON_COST = 300_000;
const MAX_UNVERIFIED_CONNECTIONS = 1_000;
/** The rest of a refused request up to this size is read and thrown away, so that its client gets the answer. */
const MAX_IGNORED_BYTES = 1024 * 1024;

/** How often the load of the process is looked at. */
const LOOK_MS = 500;

/** What a request must pass before its body is read: a valid key, a process that is not overloaded, and room for the body. */
@Injectable()
export class RequestGate implements OnModuleDestroy {
  private readonly badKeys = new BadKeys();
  private readonly bodies = new BodyMemory(BODY_LIMIT_BYTES);
  private readonly load: LoadControl;
  private readonly meter = new LoadMeter();
  private readonly look: NodeJS.Timeout;
  private readonly overload: Alarm;
  /** Since the last look. */
  private hasRefused = false;
  /** Of each listener. */
  private readonly connections: Connections[] = [];

  constructor(
    private readonly auth: RequestAuth,
    private readonly metrics: Metrics,
    @Inject(LOGGER) log: Logger,
    @Inject(CONFIG) private readonly config: Pick<Config, 'maxConnections' | 'timeouts' | 'load'>,
  ) {
    const load = new LoadControl(config.load.maxCalls ?? callsForHeap(), config.load.maxLoopDelayMs);
    this.load = load;
    this.overload = new Alarm(log, 'requests are refused: the process has too much to do', 'requests are no longer refused');
    this.look = setInterval(() => this.measure(), LOOK_MS).unref();
    metrics.watch('weir_calls_limit', 'Requests with a valid key that may be served at a time now.', () => load.limit);
    const { badKeys, bodies } = this;
    const sum = (count: (connections: Connections) => number) => () => this.connections.reduce((total, one) => total + count(one), 0);
    metrics.watch(
      'weir_connections',
      'Connections of clients.',
      sum(({ size }) => size),
    );
    metrics.watchTotal(
      'weir_connections_crowded_out_total',
      'Connections closed because there were too many.',
      sum(({ crowdedOut }) => crowdedOut),
    );
    metrics.watchTotal(
      'weir_connections_stalled_total',
      'Connections closed because the client did not read.',
      sum(({ stalled }) => stalled),
    );
    metrics.watchTotal('weir_bad_keys_total', 'Requests with an API key that is not valid.', () => badKeys.counted);
    metrics.watch('weir_request_body_bytes', 'Bytes of request bodies in memory.', () => bodies.bytes);
  }

  guard(app: FastifyInstance): void {
    const { maxConnections: max, timeouts } = this.config;
    const connections = new Connections(app.server, {
      max,
      maxUnverified: Math.min(MAX_UNVERIFIED_CONNECTIONS, Math.ceil(max / 2)),
      stallMs: () => timeouts.clientStallMs,
      isProxy: this.auth.trusts,
    });
    this.connections.push(connections);
    app.addHook('onRequest', (request, reply, done) => {
      const isLocal = this.auth.isLocal(request);
      if (needsNoKey(request) && !isLocal) return done();
      try {
        if (isLocal && !isLocalRoute(request)) throw notFoundLocally(request);
        if (request.is404) throw notFound(request);
        this.admit(request, reply, connections);
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

  onModuleDestroy(): void {
    clearInterval(this.look);
    this.meter.stop();
  }

  private measure(): void {
    this.load.measured(this.meter.read());
    if (!this.hasRefused) this.overload.clear();
    this.hasRefused = false;
  }

  /** Refuses what the process has no room for. Nothing was done for it but to verify its key. */
  private makeRoom(tenantId: string, reply: FastifyReply): void {
    const reason = this.load.begin(tenantId);
    if (reason === null) return void reply.raw.on('close', () => this.load.end(tenantId));
    this.hasRefused = true;
    this.metrics.shed.inc({ reason });
    this.overload.raise(reason, { limit: this.load.limit });
    throw new WeirError('overloaded', { message: TOO_MANY });
  }

  private admit(request: FastifyRequest, reply: FastifyReply, connections: Connections): void {
    const { tenantId } = this.auth.verify(request).caller;
    connections.verified(request.raw.socket, tenantId);
    this.makeRoom(tenantId, reply);
    // What is passed through is not kept here.
    if (announcedBytes(request.raw) === 0 || isPassedThrough(request)) return;
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

/** On `inference.local` there is less. */
function notFoundLocally({ method, url }: FastifyRequest): WeirError {
  const there = LOCAL_ROUTES.map((route) => `${route.method} ${route.path}`).join(', ');
  return new WeirError('not_found', { message: `There is no ${method} ${url.split('?')[0]} on inference.local. It has ${there}.` });
}

/** What most who miss a path have done. */
function hint(path: string): string {
  if (isAdminPath(path)) return ' This path belongs to the admin API, which has another listener: see WEIR_ADMIN_HOST and WEIR_ADMIN_PORT.';
  if (path.startsWith('/v1/v1/')) return ' Take the "/v1" off the base URL of your client: it adds its own.';
  if (methodsAt(`/v1${path}`, PUBLIC_ROUTES).length > 0) return ' Add "/v1" to the base URL of your client.';
  const near = adviceAt(path, PUBLIC_ROUTES);
  return near === null ? '' : ` ${near}`;
}

const TOO_MANY =
  'The gateway has too much to do, and the tenant has its share of the requests in flight. Send fewer at a time, then try again.';
const NO_ROOM = 'The requests in flight fill the memory for request bodies. Send fewer long requests at a time, then try again.';
const TOO_MANY_VALUES =
  'The request body has too many JSON values: at most 300,000 entries of lists, 30,000 members of objects, or 2 MB of their names. Send less in one request.';

const KEY_HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'];
