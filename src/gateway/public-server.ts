import type { Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import Fastify, { type ConnectionError, type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import type { CallFormat } from '../dialects/index.js';
import { type ErrorCode, WeirError } from '../kernel/errors.js';
import { newId, publicId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { InFlight } from './in-flight.js';
import { RequestGate } from './request-gate.js';
import { formatAt, PUBLIC_ROUTES, type Surfaces } from './routes.js';
import { Inference } from './surfaces/inference.js';
import { MessageCounting } from './surfaces/message-counting.js';
import { OwnAccount } from './surfaces/own-account.js';

const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;

const FASTIFY_CODES: Partial<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_BAD_URL: 'not_found',
};

const PARSER_CODES: Partial<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'header_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** The tenants' listener. A Fastify of its own, without Nest's router: nothing but the surface stands between a socket and the relay. */
@Injectable()
export class PublicServer {
  private readonly app: FastifyInstance;
  private draining = false;

  constructor(
    inference: Inference,
    counting: MessageCounting,
    own: OwnAccount,
    private readonly inFlight: InFlight,
    private readonly gate: RequestGate,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.app = this.build({ inference, counting, own });
  }

  /** Listens. Answers the URL to reach it at. @throws NodeJS.ErrnoException, e.g. EADDRINUSE */
  async start(): Promise<string> {
    await this.inFlight.start();
    await this.app.listen({ host: this.config.public.host, port: this.config.public.port });
    const { address, port, family } = this.app.server.address() as { address: string; port: number; family: string };
    const host = ['0.0.0.0', '::'].includes(address) ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
    return `${this.config.public.tls ? 'https' : 'http'}://${host}:${port}`;
  }

  /** Takes no new calls, and waits for those in flight; after `limitMs` they are cut off. Every one is booked when this resolves. */
  async stop(limitMs: number): Promise<void> {
    this.draining = true;
    const closed = this.app.close();
    await this.inFlight.drain(limitMs);
    this.app.server.closeAllConnections();
    await closed;
  }

  /** Ends calls in flight at once. */
  cutCalls(): void {
    this.inFlight.cut();
  }

  private build(surfaces: Surfaces): FastifyInstance {
    const { tls } = this.config.public;
    const http = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1_000,
      noDelay: true,
    };
    const options = {
      logger: false as const,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      exposeHeadRoutes: false,
      trustProxy: this.gate.trusts,
      forceCloseConnections: 'idle' as const,
      return503OnClosing: false,
      clientErrorHandler: refuseMalformed,
      frameworkErrors: (error: FastifyError, _request: unknown, reply: unknown) => this.sendError(error, reply as FastifyReply),
    };
    const app = (tls
      ? Fastify({ ...options, https: { ...http, ...tls } } as never)
      : Fastify({ ...options, http })) as unknown as FastifyInstance;
    app.removeAllContentTypeParsers();
    app.setErrorHandler((error: FastifyError | WeirError, request, reply) =>
      this.sendError(error, reply, formatAt(request.routeOptions.url)),
    );
    app.addHook('onRequest', (_request, reply, done) => {
      reply.header('cache-control', 'no-store');
      if (!this.draining) return done();
      reply.header('connection', 'close');
      done(new WeirError('draining'));
    });
    this.gate.guard(app);

    for (const { method, path: url, handler } of PUBLIC_ROUTES) app.route({ method, url, handler: handler(surfaces) });
    return app;
  }

  private sendError(error: FastifyError | WeirError, reply: FastifyReply, format: CallFormat = formatAt(undefined)): void {
    const known = error instanceof WeirError ? error : new WeirError(FASTIFY_CODES[error.code] ?? 'internal_error', { cause: error });
    const requestId = publicId('call', newId());
    if (known.code === 'internal_error') this.log.error({ err: error, request: requestId }, 'request failed');
    reply
      .code(known.status)
      .headers({ ...known.headers(), 'x-request-id': requestId })
      .type('application/json')
      .send(JSON.stringify(format.encodeError(known)));
  }
}

/** What Node's parser refuses has no request to answer through: the reply is written straight on the socket. */
function refuseMalformed({ code }: ConnectionError, socket: Socket): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const error = new WeirError(
    PARSER_CODES[code] ?? 'invalid_request',
    PARSER_CODES[code] ? {} : { message: 'The request is not valid HTTP.' },
  );
  const body = JSON.stringify(formatAt(undefined).encodeError(error));
  const head = [
    `HTTP/1.1 ${error.status} ${error.code}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
