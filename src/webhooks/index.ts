export { Deliverer } from './deliverer.js';
export { EVENT_TYPES, eventSchema, kindOf } from './events.js';
export {
  DELIVERY_STATES,
  type Delivery,
  WEBHOOK_FORMATS,
  type Webhook,
} from './webhook.js';
export { WebhooksModule } from './webhooks.module.js';
export { WebhooksService } from './webhooks.service.js';
