import { Body, Controller, Delete, Get, Put, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { ChecksIfMatch, IfMatch } from '../http/etag.js';
import { Answers } from '../http/route.js';
import { InferenceRoutes } from './inference-routes.js';
import { DeletedRoute, InferenceRouteObject, InferenceRouteQuery, PutInferenceRoute, PutPlatformInferenceRoute } from './schema.js';

type RouteReply = z.input<typeof InferenceRouteObject>;

@Controller('v1/organization/inference')
@Access('inference')
export class InferenceController {
  constructor(private readonly routes: InferenceRoutes) {}

  @Put()
  @Answers(
    InferenceRouteObject,
    'Set the model of inference.local. It is asked first with a few small requests, and not saved when it does not answer. With If-Match the route is set only if it still has that version.',
  )
  @ChecksIfMatch()
  async put(
    @TenantId() tenantId: string,
    @IfMatch() version: number | null,
    @Body({ schema: PutInferenceRoute }) body: PutInferenceRoute,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(await this.routes.put(tenantId, body, version), reply);
  }

  @Get()
  @Answers(
    InferenceRouteObject,
    "Read the route of inference.local: the tenant's own, or the platform's default where it set none. The version of the tenant's route is the ETag.",
  )
  async get(
    @TenantId() tenantId: string,
    @Query({ schema: InferenceRouteQuery }) { verify }: InferenceRouteQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const route = await this.routes.get(tenantId, verify);
    return route.set_by === 'tenant' ? tagged(route, reply) : route;
  }

  @Delete()
  @Answers(DeletedRoute, "Delete the tenant's route of inference.local. The platform's default applies again, where there is one.")
  @ChecksIfMatch()
  async delete(@TenantId() tenantId: string, @IfMatch() version: number | null) {
    await this.routes.delete(tenantId, version);
    return DELETED;
  }
}

@Controller('v1/platform/inference')
@Access('operator')
export class PlatformInferenceController {
  constructor(private readonly routes: InferenceRoutes) {}

  @Put()
  @Answers(
    InferenceRouteObject,
    'Set the default model of inference.local, for tenants that set none. A local model goes before it while its check succeeds. Prompts of these tenants go to the provider that you set here.',
  )
  @ChecksIfMatch()
  async put(
    @IfMatch() version: number | null,
    @Body({ schema: PutPlatformInferenceRoute }) body: PutPlatformInferenceRoute,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(await this.routes.put(null, body, version), reply);
  }

  @Get()
  @Answers(
    InferenceRouteObject,
    'Read the default route of inference.local: which model is used now, and since when. Its version is the ETag.',
  )
  async get(@Query({ schema: InferenceRouteQuery }) { verify }: InferenceRouteQuery, @Res({ passthrough: true }) reply: FastifyReply) {
    return tagged(await this.routes.get(null, verify), reply);
  }

  @Delete()
  @Answers(
    DeletedRoute,
    'Delete the default route of inference.local. Tenants without a route of their own get 503 inference_not_configured.',
  )
  @ChecksIfMatch()
  async delete(@IfMatch() version: number | null) {
    await this.routes.delete(null, version);
    return DELETED;
  }
}

const DELETED = { object: 'inference_route' as const, deleted: true as const };

function tagged(route: RouteReply, reply: FastifyReply): RouteReply {
  reply.header('etag', `"${route.version}"`);
  return route;
}
