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
interface Room {
  kept: Map<string, Kept>;
  bytes: number;
}

/** State of reasoning for clients that drop it, and items for those that refer to them: in this process only, for an hour at most and within a bound. Nothing depends on it. */
@Injectable()
export class ReasoningMemory {
  /** The least recently used first. */
  private readonly rooms = new Map<Id, Room>();
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
    const room = this.rooms.get(tenant);
    const known = room?.kept.get(key);
    if (!room || !known) return null;
    this.forget(tenant, room, key);
    if (this.now() - known.at > LIFETIME_MS) return null;
    this.keep(tenant, key, known);
    return known;
  }

  private keep(tenant: Id, key: string, kept: Kept): void {
    if (kept.bytes > this.limits.tenantBytes) return;
    const room = this.rooms.get(tenant) ?? { kept: new Map(), bytes: 0 };
    this.forget(tenant, room, key);
    this.rooms.delete(tenant);
    this.rooms.set(tenant, room);
    room.kept.set(key, kept);
    room.bytes += kept.bytes;
    this.bytes += kept.bytes;
    while (room.bytes > this.limits.tenantBytes) this.forgetOldest(tenant, room);
    while (this.bytes > this.limits.allBytes) this.forgetOldest(...this.rooms.entries().next().value!);
  }

  private forgetOldest(tenant: Id, room: Room): void {
    this.forget(tenant, room, room.kept.keys().next().value!);
  }

  private forget(tenant: Id, room: Room, key: string): void {
    const known = room.kept.get(key);
    if (!known) return;
    room.kept.delete(key);
    room.bytes -= known.bytes;
    this.bytes -= known.bytes;
    if (room.kept.size === 0) this.rooms.delete(tenant);
  }
}
