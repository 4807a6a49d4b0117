import { Module } from '@nestjs/common';
import { Deliverer } from './deliverer.js';
import { DeliveriesRepository } from './deliveries.repository.js';
import { WebhooksRepository } from './webhooks.repository.js';
import { WebhooksService } from './webhooks.service.js';

@Module({ providers: [WebhooksRepository, DeliveriesRepository, WebhooksService, Deliverer], exports: [WebhooksService, Deliverer] })
export class WebhooksModule {}
