import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { Delivery, Webhook } from '../../webhooks/index.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { DeliveryObject, WebhookObject } from './schema.js';

export const renderWebhook = (webhook: Webhook): z.input<typeof WebhookObject> => ({
  id: publicId('webhook', webhook.id),
  object: 'webhook',
  name: webhook.name,
  format: webhook.format,
  address: webhook.address,
  types: webhook.types,
  tenant_events: webhook.tenantEvents,
  enabled: webhook.disabledBy === null,
  disabled_by: webhook.disabledBy,
  metadata: webhook.metadata as Record<string, string>,
  created_at: unixSeconds(webhook.createdAt),
});

export const renderDelivery = (delivery: Delivery): z.input<typeof DeliveryObject> => ({
  id: publicId('delivery', delivery.id),
  object: 'webhook.delivery',
  type: delivery.event.type,
  state: delivery.state,
  attempts: delivery.attempts,
  next_attempt_at: delivery.state === 'pending' ? unixSeconds(delivery.nextAttemptAt) : null,
  last_status: delivery.lastStatus,
  last_failure: delivery.lastFailure,
  event_at: unixSeconds(delivery.event.createdAt),
  created_at: unixSeconds(delivery.createdAt),
  ended_at: unixSecondsOrNull(delivery.endedAt),
});
