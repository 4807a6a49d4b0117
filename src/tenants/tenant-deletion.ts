import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import { Keyring } from '../platform/crypto/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { TenantsRepository } from './tenants.repository.js';

/** How long after a suspension a call may still begin, in a process that does not know of it yet. */
const IN_FORCE_MS = 2_000;
const CALLS_AT_ONCE = 1_000;

/** Deletes tenants. Each step may be repeated: whoever asks again, or a worker, goes on where a process ended. */
@Injectable()
export class TenantDeletion {
  constructor(
    private readonly repository: TenantsRepository,
    private readonly keyring: Keyring,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * Destroys a tenant's keys and secrets, and blanks what may name a person. What is not blanked within `patienceMs` a worker blanks.
   * @throws WeirError not_suspended, calls_in_flight
   */
  async delete(id: string, actor: string, patienceMs: number): Promise<void> {
    let became = await this.repository.delete(id, actor);
    if (became === 'suspending') {
      await setTimeout(IN_FORCE_MS);
      became = await this.repository.delete(id, actor);
    }
    if (became === 'active') throw new WeirError('not_suspended');
    if (became !== 'deleted') throw new WeirError('calls_in_flight');
    this.keyring.forget(id);
    await this.erase(id, patienceMs);
  }

  /** Blanks what is left of deleted tenants, and for a week what came after it: a call may be booked late. */
  async eraseAll(patienceMs: number): Promise<void> {
    for (const id of await this.repository.toErase()) await this.erase(id, patienceMs);
  }

  private async erase(id: string, patienceMs: number): Promise<void> {
    const until = performance.now() + patienceMs;
    await this.repository.erase(id);
    let last = await this.repository.eraseCalls(id, null, CALLS_AT_ONCE);
    while (last && performance.now() < until) last = await this.repository.eraseCalls(id, last, CALLS_AT_ONCE);
    if (last) return;
    await this.repository.noteErased(id);
    this.log.info({ tenant: publicId('tenant', id) }, 'personal fields of a deleted tenant were blanked');
  }
}
