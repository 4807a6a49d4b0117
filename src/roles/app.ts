import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { AdminGate, ControlModule, eventOperations, mountOpenApi, mountSignInPage, parseJsonBody } from '../control/index.js';
import { GatewayModule, PUBLIC_ROUTES } from '../gateway/index.js';
import { WeirError } from '../kernel/errors.js';
import type { Config } from '../platform/config/index.js';
import { Connections, Networks } from '../platform/listener/index.js';
import type { Logger } from '../platform/telemetry/index.js';
import { SetupModule } from '../setup/index.js';
import { WorkerModule } from '../workers/index.js';

const BODY_LIMIT_BYTES = 1024 * 1024;
const HEAD_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;

@Module({})
class AppModule {}

/** Whether this process is one that makes what a first start makes. */
export const setsUp = ({ roles, demo }: Config): boolean => roles.has('control') || demo;

/** One process: the modules its roles need, behind the admin listener. The gateway brings its public listener along. */
export async function createApp(config: Config, platform: DynamicModule, log: Logger): Promise<NestFastifyApplication> {
  const entryPoints = [
    config.roles.has('gateway') && GatewayModule,
    config.roles.has('control') && ControlModule,
    config.roles.has('worker') && WorkerModule,
    setsUp(config) && SetupModule,
  ];
  const module: DynamicModule = { module: AppModule, imports: [platform, ...entryPoints.filter((one) => one !== false)] };
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    trustProxy: new Networks(config.trustedProxies).hold,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: config.keepAliveMs,
    frameworkErrors: (_error: unknown, _request: unknown, reply: FastifyReply) => refuseAddress(reply),
    http: { headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 1_000 },
  } as never);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: nestLogger(log),
    abortOnError: false,
    bodyParser: false,
  });
  // Bodies are JSON. Nest would take forms and Fastify plain text as well, past the bounds of JSON.
  for (const type of ['application/json', 'application/scim+json'] as const)
    app.useBodyParser(type, { bodyLimit: BODY_LIMIT_BYTES }, (_request: unknown, bytes: Buffer) => parseJsonBody(bytes));
  app.getHttpAdapter().getInstance().removeContentTypeParser('text/plain');
  new Connections(app.getHttpServer(), {
    max: config.maxConnections,
    maxUnverified: config.maxConnections,
    stallMs: () => config.timeouts.clientStallMs,
    isProxy: () => false,
  });
  if (config.roles.has('control')) {
    app.get(AdminGate, { strict: false }).guard(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, PUBLIC_ROUTES);
    mountOpenApi(app, eventOperations());
    mountSignInPage(app);
  }
  return app;
}

/** What the router cannot read is refused before any hook. */
function refuseAddress(reply: FastifyReply): void {
  const { status, message, type, param, code } = new WeirError('not_found', {
    message:
      'The path is not valid: a "%" must be followed by two hexadecimal digits of UTF-8, and no part may be longer than 100 characters.',
  });
  reply.code(status).type('application/json').send({ error: { message, type, param, code } });
}

/** Nest speaks of itself at debug level only; what goes wrong is ours to say. */
const nestLogger = (log: Logger) => ({
  log: (message: unknown) => log.debug(String(message)),
  debug: (message: unknown) => log.debug(String(message)),
  verbose: (message: unknown) => log.trace(String(message)),
  warn: (message: unknown) => log.warn(String(message)),
  error: (message: unknown) => log.error(String(message)),
  fatal: (message: unknown) => log.error(String(message)),
});
