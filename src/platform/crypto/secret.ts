import { inspect } from 'node:util';

/** A shorter one may turn up anywhere by chance. */
const SHORTEST_TO_FIND = 20;

/** A plaintext secret that cannot be printed or serialised by accident. `reveal` it only where it leaves for its destination. */
export class Secret {
  readonly #value: string;
  readonly #bytes: Buffer | null;

  constructor(value: string) {
    this.#value = value;
    this.#bytes = value.length < SHORTEST_TO_FIND ? null : Buffer.from(value);
  }

  reveal(): string {
    return this.#value;
  }

  /** Whether it stands in these bytes as it is; one of fewer than 20 characters is not looked for. */
  isIn(bytes: Buffer): boolean {
    return this.#bytes !== null && bytes.includes(this.#bytes);
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
