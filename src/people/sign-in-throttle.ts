import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { networkOf } from '../platform/listener/index.js';

/** Failures without a delay; then it doubles, from a second up to the longest. */
interface Patience {
  free: number;
  maxSeconds: number;
}

const OF_ADDRESS: Patience = { free: 20, maxSeconds: 900 };
/** Strangers can make these fail, so it stays short: guessing needs far more tries. */
const OF_ACCOUNT: Patience = { free: 10, maxSeconds: 60 };
const OF_DEVICE: Patience = { free: 10, maxSeconds: 900 };
/** Only who knows the password gets here. */
const OF_CODE: Patience = { free: 5, maxSeconds: 3_600 };

/** Quiet for so long, failures are forgotten. */
const FORGOTTEN_MS = 24 * 3_600_000;
/** Tables that cannot fill the memory: what was quiet for longest goes first. */
const MAX_ENTRIES = 10_000;

interface Failures {
  count: number;
  at: number;
  /** Tries before this are refused. */
  until: number;
}

/**
 * Slows down guessing. Failures count by the address they come from and by the account they are for. A device that the person has signed in on before is
 * counted by itself only: whatever strangers try, its owner gets in.
 */
@Injectable()
export class SignInThrottle {
  private readonly tables = {
    address: new Failing(OF_ADDRESS),
    account: new Failing(OF_ACCOUNT),
    device: new Failing(OF_DEVICE),
    code: new Failing(OF_CODE),
  };

  /**
   * Counts a try as failed before it is made, so that many at once get no more tries than one after the other.
   * @param device a known one; null: an unknown one.
   * @returns takes it back, when the try succeeds.
   * @throws WeirError too_many_sign_ins
   */
  attempt(address: string, account: string, device: string | null): () => void {
    const { tables } = this;
    if (device !== null) return count([tables.device, `${account}|${device}`]);
    return count([tables.address, networkOf(address)], [tables.account, account]);
  }

  /** The same for a code, of somebody whose password was right or who is signed in. @param whose what is guessed. @throws WeirError too_many_sign_ins */
  attemptCode(whose: string): () => void {
    return count([this.tables.code, whose]);
  }
}

function count(...places: [Failing, string][]): () => void {
  const now = performance.now();
  const waitMs = Math.max(...places.map(([table, key]) => table.waitMs(key, now)));
  if (waitMs > 0) throw new WeirError('too_many_sign_ins', { retryAfterSeconds: Math.ceil(waitMs / 1000) });
  for (const [table, key] of places) table.add(key, now);
  return () => {
    for (const [table, key] of places) table.succeed(key);
  };
}

class Failing {
  private readonly entries = new Map<string, Failures>();

  constructor(private readonly patience: Patience) {}

  waitMs(key: string, now: number): number {
    return (this.entries.get(key)?.until ?? now) - now;
  }

  add(key: string, now: number): void {
    const known = this.entries.get(key);
    const failed = (known && known.at > now - FORGOTTEN_MS ? known.count : 0) + 1;
    const { free, maxSeconds } = this.patience;
    const delaySeconds = failed < free ? 0 : Math.min(maxSeconds, 2 ** Math.min(failed - free, 20));
    this.entries.delete(key);
    this.entries.set(key, { count: failed, at: now, until: now + delaySeconds * 1000 });
    if (this.entries.size > MAX_ENTRIES) this.entries.delete(this.entries.keys().next().value!);
  }

  /** Of an address only this try is taken back: somebody else may be guessing from it, or the same one at another account. */
  succeed(key: string): void {
    const known = this.entries.get(key);
    if (!known) return;
    if (this.patience !== OF_ADDRESS || known.count <= 1) this.entries.delete(key);
    else this.entries.set(key, { ...known, count: known.count - 1, until: 0 });
  }
}
