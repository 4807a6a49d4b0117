import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { Inject, Injectable } from '@nestjs/common';
import Fastify, { type ConnectionError, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { CallFormat } from '../dialects/index.js';
import { type ErrorCode, WeirError } from '../kernel/errors.js';
import { newId, publicId } from '../kernel/ids.js';
import { setBy } from '../kernel/setting-of.js';
import { LedgerService } from '../ledger/index.js';
import { CONFIG, type Config, type InferenceListener, Reloads } from '../platform/config/index.js';
import { endWith, listenOnSocket, readRest } from '../platform/listener/index.js';
import { Health, LOGGER, type Logger } from '../platform/telemetry/index.js';
import { statusFor } from './agents.js';
import { ApprovedCalls } from './approved-calls.js';
import { InFlight } from './in-flight.js';
import { needsNoKey, registerDocument, registerHealth } from './open-routes.js';
import { describePublicApi } from './openapi/document.js';
import { Passthrough } from './passthrough/passthrough.js';
import { RequestAuth } from './request-auth.js';
import { RequestGate } from './request-gate.js';
import { formatFor, OTHER_FORMAT, PUBLIC_ROUTES, type PublicRoute, type Surfaces } from './routes.js';
import { Inference } from './surfaces/inference.js';
import { MessageCounting } from './surfaces/message-counting.js';
import { OwnAccount } from './surfaces/own-account.js';
import { OwnSessions } from './surfaces/own-sessions.js';

const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 16 * 1024;

const FASTIFY_CODES: Partial<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
};

const PARSER_CODES: Partial<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'header_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** The tenants' listener. A Fastify of its own, without Nest's router: nothing but the surface stands between a socket and the relay. */
@Injectable()
export class PublicServer {
  private readonly app: FastifyInstance;
  /** For calls to `inference.local` only. */
  private readonly others: { listener: InferenceListener; app: FastifyInstance }[];
  private draining = false;

  constructor(
    inference: Inference,
    counting: MessageCounting,
    own: OwnAccount,
    sessions: OwnSessions,
    passthrough: Passthrough,
    private readonly inFlight: InFlight,
    private readonly approvals: ApprovedCalls,
    private readonly gate: RequestGate,
    private readonly auth: RequestAuth,
    private readonly health: Health,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
    reloads: Reloads,
    ledger: LedgerService,
  ) {
    health.watch('ledger', 'ledger_unavailable', () => ledger.fault, { stopsCalls: true });
    reloads.onReload((next) => this.useCertificate(next));
    const surfaces = { inference, counting, own, sessions, passthrough };
    this.app = this.build(surfaces, config.public.tls);
    this.others = config.inference.listeners.map((listener) => {
      const app = this.build(surfaces, 'path' in listener.at ? null : inferenceTls(config));
      auth.addListener(app, listener.name);
      return { listener, app };
    });
  }

  /** Listens. Answers the URL to reach it at. @throws NodeJS.ErrnoException, e.g. EADDRINUSE */
  async start(): Promise<string> {
    await this.inFlight.start();
    for (const { listener, app } of this.others)
      await setBy<unknown>(
        'WEIR_INFERENCE_LISTEN',
        'path' in listener.at ? listenOnSocket(app, listener.at.path) : app.listen(listener.at),
      );
    await this.app.listen({ host: this.config.public.host, port: this.config.public.port });
    const { address, port, family } = this.app.server.address() as { address: string; port: number; family: string };
    const host = ['0.0.0.0', '::'].includes(address) ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
    return `${this.config.public.tls ? 'https' : 'http'}://${host}:${port}`;
  }

  /** Shows a new certificate on connections that are made from now on. */
  private useCertificate(config: Config): void {
    const use = ({ server }: { server: object }, tls: SecureContextOptions | null) => {
      if (tls && 'setSecureContext' in server) (server as Server).setSecureContext(tls);
    };
    use(this.app, config.public.tls);
    for (const { app } of this.others) use(app, inferenceTls(config));
  }

  /** Takes no new calls, and waits for those in flight; after `limitMs` they are cut off. Every one is booked when this resolves. */
  async stop(limitMs: number): Promise<void> {
    this.draining = true;
    const apps = [this.app, ...this.others.map(({ app }) => app)];
    const closed = Promise.all(apps.map((app) => app.close()));
    this.approvals.stopWaiting();
    await this.inFlight.drain(limitMs);
    for (const { server } of apps) server.closeAllConnections();
    await closed;
  }

  /** Ends calls in flight at once. */
  cutCalls(): void {
    this.inFlight.cut();
  }

  private build(surfaces: Surfaces, tls: TlsOptions | null): FastifyInstance {
    const { keepAliveMs } = this.config;
    const http = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: 1_000,
      noDelay: true,
    };
    const options = {
      logger: false as const,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: keepAliveMs,
      exposeHeadRoutes: false,
      trustProxy: this.auth.trusts,
      forceCloseConnections: 'idle' as const,
      return503OnClosing: false,
      clientErrorHandler: refuseMalformed,
      frameworkErrors: (error: FastifyError, _request: unknown, reply: unknown) => this.sendError(error, reply as FastifyReply),
    };
    const app = (tls
      ? Fastify({ ...options, https: { ...http, ...tls } } as never)
      : Fastify({ ...options, http })) as unknown as FastifyInstance;
    app.removeAllContentTypeParsers();
    app.setErrorHandler((error: FastifyError | WeirError, request, reply) => this.sendError(error, reply, formatFor(request)));
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('cache-control', 'no-store');
      // On the response itself: the head of a stream is written past Fastify.
      if (this.health.leaving) reply.raw.setHeader('connection', 'close');
      done(this.draining && !needsNoKey(request) ? new WeirError('draining') : undefined);
    });
    registerHealth(app, this.health);
    registerDocument(app, describePublicApi(PUBLIC_ROUTES));
    this.gate.guard(app);

    const isRaw = ({ kind }: PublicRoute) => kind === 'passthrough';
    for (const { method, path: url, handler } of PUBLIC_ROUTES.filter((route) => !isRaw(route)))
      app.route({ method, url, handler: handler(surfaces) });
    void app.register((unread, _options, done) => {
      unread.removeAllContentTypeParsers();
      unread.addContentTypeParser('*', (_request, _body, done) => done(null));
      for (const { method, path: url, handler } of PUBLIC_ROUTES.filter(isRaw)) unread.route({ method, url, handler: handler(surfaces) });
      done();
    });
    return app;
  }

  private sendError(error: FastifyError | WeirError, reply: FastifyReply, format: CallFormat = OTHER_FORMAT): void {
    readRest(reply.request.raw);
    const known = error instanceof WeirError ? error : new WeirError(FASTIFY_CODES[error.code] ?? 'internal_error', { cause: error });
    const requestId = publicId('call', newId());
    if (known.code === 'internal_error') this.log.error({ err: error, request: requestId }, 'request failed');
    reply
      .code(statusFor(known, reply.request.headers, format.errors))
      .headers({ ...known.headers(), 'x-request-id': requestId, ...(format.errors && { [format.errors.idHeader]: requestId }) })
      .type('application/json')
      .send(JSON.stringify(format.encodeError(known)));
  }
}

/** Where clients have to show a certificate, a connection without one is refused before anything is read. */
const inferenceTls = ({ public: { tls }, inference: { clientCa } }: Config): TlsOptions | null =>
  tls && (clientCa ? { ...tls, ca: clientCa, requestCert: true, rejectUnauthorized: true } : tls);

/** What Node's parser refuses has no request to answer through: the reply is written straight on the socket. */
function refuseMalformed({ code }: ConnectionError, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const error = new WeirError(
    PARSER_CODES[code] ?? 'invalid_request',
    PARSER_CODES[code] ? {} : { message: 'The request is not valid HTTP.' },
  );
  const body = JSON.stringify(OTHER_FORMAT.encodeError(error));
  const head = [
    `HTTP/1.1 ${error.status} ${error.code}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  endWith(socket, `${head.join('\r\n')}\r\n\r\n${body}`);
}
