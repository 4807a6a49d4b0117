import type { Credential } from './credential.js';

/** Credentials a provider did not want, for one model or for all, and until when they are passed over. Times are of the monotonic clock, in ms. */
export class Cooldowns {
  private readonly ends = new Map<string, number>();

  get none(): boolean {
    return this.ends.size === 0;
  }

  /** Lets a credential rest, longer if it rests already. @param model null: for all of them. */
  add(credentialId: string, untilMs: number, model: string | null = null): void {
    if (untilMs > this.endOf(credentialId, model)) this.ends.set(keyOf(credentialId, model), untilMs);
  }

  /** When its rest for a model ends, which may be over; 0 without one. @param model null: its rest for all of them. */
  endOf(credentialId: string, model: string | null = null): number {
    const ofAll = this.ends.get(credentialId) ?? 0;
    return model === null ? ofAll : Math.max(ofAll, this.ends.get(keyOf(credentialId, model)) ?? 0);
  }

  /** Forgets what is over. */
  prune(nowMs: number): void {
    for (const [id, end] of this.ends) if (end <= nowMs) this.ends.delete(id);
  }
}

const keyOf = (credentialId: string, model: string | null): string => (model === null ? credentialId : `${credentialId} ${model}`);

/** The credentials of one provider, used in turn. */
export class Rotation {
  private turn = 0;

  /** @param credentials at least one. */
  constructor(
    readonly credentials: readonly Credential[],
    private readonly cooldowns: Cooldowns,
  ) {}

  /**
   * The next that does not rest; where all do, the one that is ready first.
   * @param model null: whichever; a rest for one model is none then.
   * @param session calls of one session get the same as long as it does not rest: state that a provider keeps belongs to an account.
   */
  pick(session: string | null, model: string | null = null): Credential {
    const { credentials } = this;
    if (credentials.length === 1) return credentials[0]!;
    const first = session === null ? this.turn++ : hash(session);
    const inTurn = (step: number) => credentials[(first + step) % credentials.length]!;
    if (this.cooldowns.none) return inTurn(0);
    const now = performance.now();
    let readyFirst = inTurn(0);
    for (let step = 0; step < credentials.length; step++) {
      const credential = inTurn(step);
      if (this.cooldowns.endOf(credential.id, model) <= now) return credential;
      if (this.cooldowns.endOf(credential.id, model) < this.cooldowns.endOf(readyFirst.id, model)) readyFirst = credential;
    }
    return readyFirst;
  }

  /** Those that do not rest, in the order in which calls of a session go on to them. */
  ready(session: string | null, model: string): Credential[] {
    const { credentials } = this;
    const first = session === null ? this.turn++ : hash(session);
    const now = performance.now();
    return credentials
      .map((_, step) => credentials[(first + step) % credentials.length]!)
      .filter(({ id }) => this.cooldowns.endOf(id, model) <= now);
  }

  /** How long until one does not rest, in ms; 0: now. */
  readyInMs(model: string | null = null): number {
    return Math.max(0, Math.min(...this.credentials.map(({ id }) => this.cooldowns.endOf(id, model))) - performance.now());
  }
}

function hash(text: string): number {
  let sum = 0;
  for (let at = 0; at < text.length; at++) sum = (Math.imul(sum, 31) + text.charCodeAt(at)) >>> 0;
  return sum;
}
