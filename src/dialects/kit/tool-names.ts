import { createHash } from 'node:crypto';
import { invalid } from './fields.js';

const HASH_LENGTH = 8;

/**
 * Tool names as a format allows them. A name that has to be changed gets a piece of its own hash, so that two names never become one and the
 * same name is always changed alike.
 */
export class ToolNames {
  /** As sent → as the client knows them, where they differ. */
  readonly changed = new Map<string, string>();

  /**
   * @param allowed what a name may be.
   * @param forbidden single characters to replace, with the flag `g`.
   * @param start put before a name that may not begin as it does.
   */
  constructor(
    private readonly allowed: RegExp,
    private readonly forbidden: RegExp,
    private readonly maxLength: number,
    private readonly start = '_',
  ) {}

  sent(name: string): string {
    if (this.allowed.test(name) && name.length <= this.maxLength) return name;
    const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_LENGTH);
    const plain = name.replace(this.forbidden, '_');
    const begun = this.allowed.test(plain) ? plain : `${this.start}${plain}`;
    const sent = `${begun.slice(0, this.maxLength - HASH_LENGTH - 1)}_${hash}`;
    this.changed.set(sent, name);
    return sent;
  }
}

/** For tools of several kinds that have one name: providers know them by it alone. */
export const sameName = (name: string) =>
  invalid('tools', `"tools" has tools of several kinds that are named "${name}". Give each tool its own name.`);
