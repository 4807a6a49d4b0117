import { Injectable } from '@nestjs/common';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { Deliverer } from '../webhooks/index.js';

/** Tells webhooks of what is new in the outbox, and of what they did not take before. */
@Injectable()
export class DeliverWebhooks implements ScheduledJob {
  readonly queue = 'deliver-webhooks';
  readonly everyMs = 2_000;

  constructor(private readonly deliverer: Deliverer) {}

  async run(): Promise<JobResult> {
    const workLeft = await this.deliverer.run();
    return { againInMs: workLeft ? 0 : null, workLeft };
  }
}
