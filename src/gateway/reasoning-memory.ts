import { Injectable } from '@nestjs/common';
import type { AnswerState, ItemMemory, StateMemory } from '../dialects/index.js';
import type { Id } from '../kernel/ids.js';

const LIFETIME_MS = 3_600_000;
/** What an entry takes besides its state, about. */
const ENTRY_BYTES = 500;

interface Kept {
  /** Of reasoning, or an item of a reply. */
  state: AnswerState | object;
  bytes: number;
  at: number;
}

/** Of one tenant, the least recently used first. */
interface Share {
  kept: Map<string, Kept>;
  bytes: number;
}

/** State of reasoning for clients that drop it, and items for those that refer to them: in this process only, for an hour at most and within a bound. Nothing depends on it. */
@Injectable()
export class ReasoningMemory {
  /** The least recently used first. */
  private readonly shares = new Map<Id, Share>();
  private bytes = 0;
  readonly limits = { tenantBytes: 4 * 1024 * 1024, allBytes: 64 * 1024 * 1024 };
  now = (): number => performance.now();

  /** @param scope what state cannot be taken out of, such as a provider and its model. */
  of(tenant: Id, ...scope: (string | undefined)[]): StateMemory {
    const keyOf = (key: string) => JSON.stringify([...scope, key]);
    return {
      recall: (key) => (this.recall(tenant, keyOf(key))?.state as AnswerState | undefined) ?? null,
      keep: (key, state, bytes) => this.keep(tenant, keyOf(key), { state, bytes: bytes + ENTRY_BYTES, at: this.now() }),
    };
  }

  /** Items that clients refer to, whatever they ask for next. */
  itemsOf(tenant: Id): ItemMemory {
    return {
      recall: (id) => {
        const known = this.recall(tenant, id);
        return known && { item: known.state, bytes: known.bytes - ENTRY_BYTES };
      },
      keep: (id, state, bytes) => this.keep(tenant, id, { state, bytes: bytes + ENTRY_BYTES, at: this.now() }),
    };
  }

  private recall(tenant: Id, key: string): Kept | null {
    const share = this.shares.get(tenant);
    const known = share?.kept.get(key);
    if (!share || !known) return null;
    this.forget(tenant, share, key);
    if (this.now() - known.at > LIFETIME_MS) return null;
    this.keep(tenant, key, known);
    return known;
  }

  private keep(tenant: Id, key: string, kept: Kept): void {
    if (kept.bytes > this.limits.tenantBytes) return;
    const share = this.shares.get(tenant) ?? { kept: new Map(), bytes: 0 };
    this.forget(tenant, share, key);
    this.shares.delete(tenant);
    this.shares.set(tenant, share);
    share.kept.set(key, kept);
    share.bytes += kept.bytes;
    this.bytes += kept.bytes;
    while (share.bytes > this.limits.tenantBytes) this.forgetOldest(tenant, share);
    while (this.bytes > this.limits.allBytes) this.forgetOldest(...this.shares.entries().next().value!);
  }

  private forgetOldest(tenant: Id, share: Share): void {
    this.forget(tenant, share, share.kept.keys().next().value!);
  }

  private forget(tenant: Id, share: Share, key: string): void {
    const known = share.kept.get(key);
    if (!known) return;
    share.kept.delete(key);
    share.bytes -= known.bytes;
    this.bytes -= known.bytes;
    if (share.kept.size === 0) this.shares.delete(tenant);
  }
}
