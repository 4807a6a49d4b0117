/** Something that was fetched, and how long it may be used from when it was asked for. */
export interface Fresh<Value> {
  value: Value;
  freshMs: number;
}

const EARLY_SECONDS = 300;
const UNKNOWN_SECONDS = 300;
const MAX_SECONDS = 86_400;
/** A server that refuses or is away is not asked by every call. */
const FAILURE_MS = 1_000;

/** Until five minutes before it expires, or half of its life where it is shorter than ten. A life that is unknown (NaN) or over counts as five. */
export function freshMs(lifeSeconds: number): number {
  const seconds = lifeSeconds > 0 ? Math.min(lifeSeconds, MAX_SECONDS) : UNKNOWN_SECONDS;
  return Math.max(seconds - EARLY_SECONDS, seconds / 2) * 1_000;
}

/** Of what expires then. @param expiresAtMs by the wall clock; NaN: unknown. */
export const freshMsUntil = (expiresAtMs: number): number => freshMs((expiresAtMs - Date.now()) / 1_000);

/** Keeps what was fetched until it is stale. However many ask at once, it is fetched once. */
export class TokenCache<Value extends object> {
  #held: { value: Value; untilMs: number } | null = null;
  #failed: { error: unknown; untilMs: number } | null = null;
  #underWay: Promise<Value> | null = null;

  /** @param fetch asks for a new one. */
  constructor(private readonly fetch: () => Promise<Fresh<Value>>) {}

  /** What is held, or the promise of what is being fetched; rejects with the error of `fetch`. */
  get(): Value | Promise<Value> {
    const now = performance.now();
    if (this.#held && now < this.#held.untilMs) return this.#held.value;
    if (this.#underWay !== null) return this.#underWay;
    if (this.#failed && now < this.#failed.untilMs) return Promise.reject(this.#failed.error);
    this.#underWay = this.load(now);
    return this.#underWay;
  }

  /** It was refused. What was fetched since stays. */
  drop(refused: object): void {
    if (this.#held?.value === refused) this.#held = null;
  }

  private async load(askedAt: number): Promise<Value> {
    try {
      const { value, freshMs } = await this.fetch();
      this.#held = { value, untilMs: askedAt + freshMs };
      return value;
    } catch (error) {
      this.#failed = { error, untilMs: performance.now() + FAILURE_MS };
      throw error;
    } finally {
      this.#underWay = null;
    }
  }
}
