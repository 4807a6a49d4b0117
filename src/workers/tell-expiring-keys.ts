import { Injectable } from '@nestjs/common';
import { ApiKeysService } from '../api-keys/index.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';

/** Says of each API key once that it expires soon. */
@Injectable()
export class TellExpiringKeys implements ScheduledJob {
  readonly queue = 'tell-expiring-keys';
  readonly everyMs = 60_000;

  constructor(private readonly keys: ApiKeysService) {}

  async run(): Promise<JobResult> {
    await this.keys.tellExpiring();
    return { againInMs: null };
  }
}
