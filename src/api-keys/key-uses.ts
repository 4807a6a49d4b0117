import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { ApiKeysRepository } from './api-keys.repository.js';

const WRITE_EVERY_MS = 60_000;

/** When API keys were last used. Noted in memory on the path of a call, and written for all keys together. */
@Injectable()
export class KeyUses implements OnApplicationShutdown {
  private used = new Set<string>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly repository: ApiKeysRepository,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  note(id: string): void {
    this.used.add(id);
    this.timer ??= setTimeout(() => void this.write(), WRITE_EVERY_MS).unref();
  }

  onApplicationShutdown(): Promise<void> {
    return this.write();
  }

  /** Writes what was noted. What cannot be written is left out: the next use is written again. */
  private async write(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const ids = [...this.used];
    this.used = new Set();
    if (ids.length === 0) return;
    await this.repository.noteUsed(ids).catch((error) => this.log.warn({ err: error }, 'when keys were last used could not be written'));
  }
}
