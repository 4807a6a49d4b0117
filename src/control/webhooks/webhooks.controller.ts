import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { WebhooksService } from '../../webhooks/index.js';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { cursors, ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderDelivery, renderWebhook } from './render.js';
import {
  CreatePlatformWebhook,
  CreateWebhook,
  DeliveryObject,
  DeliveryQuery,
  NewWebhookObject,
  ReplayObject,
  RotateSecret,
  UpdatePlatformWebhook,
  UpdateWebhook,
  WebhookObject,
} from './schema.js';

const CREATE = 'Create a webhook: where events are sent. Its secret is shown only once.';
const UPDATE = 'Update a webhook. Disabling it gives up what is still to be sent; it can be replayed once it is enabled again.';
const ROTATE = 'Rotate the secret of a webhook. The new one is shown once. For a while events are signed by both.';
const DELETE = 'Delete a webhook and its deliveries.';
const TEST = 'Send a test event to a webhook. The delivery tells how it went.';
const DELIVERIES = 'List the deliveries of a webhook: its events and what became of them. They are kept for 35 days.';
const REPLAY_DEAD = 'Send all dead deliveries of a webhook once more, under their ids.';
const REPLAY = 'Send a delivery that is over once more, under its id.';

/** What the webhooks of an owner, a tenant or the platform (null), have in common. */
abstract class Webhooks {
  constructor(private readonly webhooks: WebhooksService) {}

  protected async add(tenantId: string | null, body: CreateWebhook, tenantEvents: boolean) {
    const { name, format, url, emails, types = null, enabled, metadata = {} } = body;
    const fields = { tenantId, name, format, types, tenantEvents, metadata };
    const { webhook, secret } = await this.webhooks.create(fields, { url, emails }, enabled);
    return { ...renderWebhook(webhook), secret };
  }

  protected async page(tenantId: string | null, query: ListQuery) {
    const { items, hasMore } = pageOf(await this.webhooks.list(tenantId), 'webhook', query);
    return renderList(items.map(renderWebhook), hasMore);
  }

  protected async read(tenantId: string | null, id: string) {
    return renderWebhook(await this.webhooks.get(tenantId, idOf('webhook', id)));
  }

  protected async change(tenantId: string | null, id: string, { tenant_events: tenantEvents, ...body }: UpdatePlatformWebhook) {
    const changes = Object.fromEntries(Object.entries({ ...body, tenantEvents }).filter(([, value]) => value !== undefined));
    return renderWebhook(await this.webhooks.update(tenantId, idOf('webhook', id), changes));
  }

  protected async rotateSecret(tenantId: string | null, id: string, { overlap_seconds: overlap }: RotateSecret) {
    const { webhook, secret } = await this.webhooks.rotate(tenantId, idOf('webhook', id), overlap);
    return { ...renderWebhook(webhook), secret };
  }

  protected async remove(tenantId: string | null, id: string) {
    await this.webhooks.delete(tenantId, idOf('webhook', id));
    return { id, object: 'webhook' as const, deleted: true as const };
  }

  protected async sendTest(tenantId: string | null, id: string) {
    return renderDelivery(await this.webhooks.test(tenantId, idOf('webhook', id)));
  }

  protected async pageOfDeliveries(tenantId: string | null, id: string, { limit, order, state, ...query }: DeliveryQuery) {
    const page = { ...cursors('delivery', query), limit, order, state };
    const { deliveries, hasMore } = await this.webhooks.listDeliveries(tenantId, idOf('webhook', id), page);
    return renderList(deliveries.map(renderDelivery), hasMore);
  }

  protected async sendDeadAgain(tenantId: string | null, id: string) {
    return { object: 'webhook.replay' as const, deliveries: await this.webhooks.replayDead(tenantId, idOf('webhook', id)) };
  }

  protected async sendAgain(tenantId: string | null, id: string, deliveryId: string) {
    return renderDelivery(await this.webhooks.replay(tenantId, idOf('webhook', id), idOf('delivery', deliveryId)));
  }
}

@Controller('v1/organization/webhooks')
@Access('webhooks')
export class WebhooksController extends Webhooks {
  constructor(webhooks: WebhooksService) {
    super(webhooks);
  }

  @Post()
  @Answers(NewWebhookObject, CREATE)
  create(@TenantId() tenantId: string, @Body({ schema: CreateWebhook }) body: CreateWebhook) {
    return this.add(tenantId, body, false);
  }

  @Get()
  @Answers(listOf(WebhookObject), 'List webhooks.')
  list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.page(tenantId, query);
  }

  @Get(':webhook_id')
  @Answers(WebhookObject, 'Read a webhook.')
  get(@TenantId() tenantId: string, @Param('webhook_id') id: string) {
    return this.read(tenantId, id);
  }

  @PostOrPatch(':webhook_id')
  @Answers(WebhookObject, UPDATE)
  update(@TenantId() tenantId: string, @Param('webhook_id') id: string, @Body({ schema: UpdateWebhook }) body: UpdateWebhook) {
    return this.change(tenantId, id, body);
  }

  @Delete(':webhook_id')
  @Answers(deleted('webhook'), DELETE)
  delete(@TenantId() tenantId: string, @Param('webhook_id') id: string) {
    return this.remove(tenantId, id);
  }

  @Post(':webhook_id/rotate')
  @Answers(NewWebhookObject, ROTATE)
  rotate(@TenantId() tenantId: string, @Param('webhook_id') id: string, @Body({ schema: RotateSecret }) body: RotateSecret) {
    return this.rotateSecret(tenantId, id, body);
  }

  @Post(':webhook_id/test')
  @Answers(DeliveryObject, TEST)
  test(@TenantId() tenantId: string, @Param('webhook_id') id: string) {
    return this.sendTest(tenantId, id);
  }

  @Get(':webhook_id/deliveries')
  @Answers(listOf(DeliveryObject), DELIVERIES)
  listDeliveries(@TenantId() tenantId: string, @Param('webhook_id') id: string, @Query({ schema: DeliveryQuery }) query: DeliveryQuery) {
    return this.pageOfDeliveries(tenantId, id, query);
  }

  @Post(':webhook_id/deliveries/replay')
  @Answers(ReplayObject, REPLAY_DEAD)
  replayDead(@TenantId() tenantId: string, @Param('webhook_id') id: string) {
    return this.sendDeadAgain(tenantId, id);
  }

  @Post(':webhook_id/deliveries/:delivery_id/replay')
  @Answers(DeliveryObject, REPLAY)
  replay(@TenantId() tenantId: string, @Param('webhook_id') id: string, @Param('delivery_id') deliveryId: string) {
    return this.sendAgain(tenantId, id, deliveryId);
  }
}

@Controller('v1/platform/webhooks')
@Access('operator')
export class PlatformWebhooksController extends Webhooks {
  constructor(webhooks: WebhooksService) {
    super(webhooks);
  }

  @Post()
  @Answers(NewWebhookObject, CREATE)
  create(@Body({ schema: CreatePlatformWebhook }) { tenant_events: tenantEvents, ...body }: CreatePlatformWebhook) {
    return this.add(null, body, tenantEvents);
  }

  @Get()
  @Answers(listOf(WebhookObject), 'List the webhooks of the platform.')
  list(@Query({ schema: ListQuery }) query: ListQuery) {
    return this.page(null, query);
  }

  @Get(':platform_webhook_id')
  @Answers(WebhookObject, 'Read a webhook.')
  get(@Param('platform_webhook_id') id: string) {
    return this.read(null, id);
  }

  @PostOrPatch(':platform_webhook_id')
  @Answers(WebhookObject, UPDATE)
  update(@Param('platform_webhook_id') id: string, @Body({ schema: UpdatePlatformWebhook }) body: UpdatePlatformWebhook) {
    return this.change(null, id, body);
  }

  @Delete(':platform_webhook_id')
  @Answers(deleted('webhook'), DELETE)
  delete(@Param('platform_webhook_id') id: string) {
    return this.remove(null, id);
  }

  @Post(':platform_webhook_id/rotate')
  @Answers(NewWebhookObject, ROTATE)
  rotate(@Param('platform_webhook_id') id: string, @Body({ schema: RotateSecret }) body: RotateSecret) {
    return this.rotateSecret(null, id, body);
  }

  @Post(':platform_webhook_id/test')
  @Answers(DeliveryObject, TEST)
  test(@Param('platform_webhook_id') id: string) {
    return this.sendTest(null, id);
  }

  @Get(':platform_webhook_id/deliveries')
  @Answers(listOf(DeliveryObject), DELIVERIES)
  listDeliveries(@Param('platform_webhook_id') id: string, @Query({ schema: DeliveryQuery }) query: DeliveryQuery) {
    return this.pageOfDeliveries(null, id, query);
  }

  @Post(':platform_webhook_id/deliveries/replay')
  @Answers(ReplayObject, REPLAY_DEAD)
  replayDead(@Param('platform_webhook_id') id: string) {
    return this.sendDeadAgain(null, id);
  }

  @Post(':platform_webhook_id/deliveries/:platform_delivery_id/replay')
  @Answers(DeliveryObject, REPLAY)
  replay(@Param('platform_webhook_id') id: string, @Param('platform_delivery_id') deliveryId: string) {
    return this.sendAgain(null, id, deliveryId);
  }
}
