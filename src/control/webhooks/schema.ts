import { z } from 'zod';
import { DELIVERY_STATES, EVENT_TYPES, WEBHOOK_FORMATS } from '../../webhooks/index.js';
import { Metadata, metadata, notEmpty, Timestamp, text } from '../http/fields.js';
import { ListQuery } from '../http/list.js';

const DAY_SECONDS = 86_400;
const MAX_OVERLAP_DAYS = 7;
const MAX_EMAILS = 10;

const name = text(64).min(1).describe('Its name in lists.');
const url = text(2_048).min(1).describe('Where events are sent: https, or http where WEIR_EGRESS_ALLOW names the host and port.');
const emails = z.array(z.email().max(254)).min(1).max(MAX_EMAILS).describe('Of the format `email`: who gets the mail.');
const types = z
  .array(z.enum(EVENT_TYPES))
  .min(1)
  .max(EVENT_TYPES.length)
  .nullable()
  .describe('The types of events that it is told of. null: all.');
const enabled = z.boolean().describe('false: nothing is sent, and what happens meanwhile is not told later.');
const tenantEvents = z.boolean().describe('true: it is told of events of every tenant too, and not of the platform alone.');

const FIELDS = {
  name: name.optional(),
  url: url.optional(),
  emails: emails.optional(),
  types: types.optional(),
  metadata: metadata.optional(),
};

const CREATE = {
  ...FIELDS,
  name,
  format: z
    .enum(WEBHOOK_FORMATS)
    .default('standard')
    .describe(
      '`standard`: JSON, signed as Standard Webhooks. `slack`: for an incoming webhook of Slack. `teams`: an adaptive card for Microsoft Teams. `email`: mail.',
    ),
  enabled: enabled.default(true),
};
const EXAMPLE = { name: 'alerts', url: 'https://hooks.example.com/weir', types: ['budget.threshold_reached', 'budget.exceeded'] };

export const CreateWebhook = z.strictObject(CREATE).meta({ example: EXAMPLE });
export type CreateWebhook = z.output<typeof CreateWebhook>;

export const CreatePlatformWebhook = z
  .strictObject({ ...CREATE, tenant_events: tenantEvents.default(false) })
  .meta({ example: { ...EXAMPLE, tenant_events: true } });
export type CreatePlatformWebhook = z.output<typeof CreatePlatformWebhook>;

const UPDATE = { ...FIELDS, enabled: enabled.optional() };

export const UpdateWebhook = z
  .strictObject(UPDATE)
  .refine(...notEmpty)
  .meta({ example: { types: null } });
export type UpdateWebhook = z.output<typeof UpdateWebhook>;

export const UpdatePlatformWebhook = z
  .strictObject({ ...UPDATE, tenant_events: tenantEvents.optional() })
  .refine(...notEmpty)
  .meta({ example: { tenant_events: false } });
export type UpdatePlatformWebhook = z.output<typeof UpdatePlatformWebhook>;

export const RotateSecret = z
  .strictObject({
    overlap_seconds: z
      .number()
      .int()
      .min(0)
      .max(MAX_OVERLAP_DAYS * DAY_SECONDS)
      .default(DAY_SECONDS)
      .describe('How long events are signed by the present secret as well. 0: by the new one alone.'),
  })
  .default({ overlap_seconds: DAY_SECONDS })
  .meta({ example: { overlap_seconds: 3600 } });
export type RotateSecret = z.output<typeof RotateSecret>;

export const DeliveryQuery = ListQuery.extend({ state: z.enum(DELIVERY_STATES).optional() });
export type DeliveryQuery = z.output<typeof DeliveryQuery>;

const WEBHOOK = {
  id: z.string(),
  object: z.literal('webhook'),
  name: z.string(),
  format: z.enum(WEBHOOK_FORMATS),
  address: z.string().describe('Where it leads, without what may be secret: a query, and the paths of Slack and Teams.'),
  types: z.array(z.enum(EVENT_TYPES)).nullable(),
  tenant_events: z.boolean().describe("Always false of a tenant's."),
  enabled: z.boolean(),
  disabled_by: z.enum(['admin', 'receiver']).nullable().describe('`receiver`: it answered 410.'),
  metadata: Metadata,
  created_at: Timestamp,
};
export const WebhookObject = z.strictObject(WEBHOOK).meta({ id: 'Webhook' });

export const NewWebhookObject = z
  .strictObject({
    ...WEBHOOK,
    secret: z.string().nullable().describe('What events are signed with, `whsec_…`. Shown only now. null: they are not signed.'),
  })
  .meta({ id: 'NewWebhook' });

export const DeliveryObject = z
  .strictObject({
    id: z.string().describe('The `webhook-id` of each attempt.'),
    object: z.literal('webhook.delivery'),
    type: z.enum(EVENT_TYPES),
    state: z.enum(DELIVERY_STATES).describe('`dead`: no attempt follows, unless it is replayed.'),
    attempts: z.number().int(),
    next_attempt_at: Timestamp.nullable(),
    last_status: z.number().int().nullable().describe('What the receiver answered last. null: it gave no answer.'),
    last_failure: z.string().nullable().describe('Why there was no answer, in one word.'),
    event_at: Timestamp,
    created_at: Timestamp,
    ended_at: Timestamp.nullable().describe('When it was delivered or given up.'),
  })
  .meta({ id: 'WebhookDelivery' });

export const ReplayObject = z
  .strictObject({ object: z.literal('webhook.replay'), deliveries: z.number().int().describe('How many are sent again.') })
  .meta({ id: 'WebhookReplay' });
