import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';

const derive = promisify(argon2);

/** As OWASP advises: 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Each takes a thread of the pool that name lookups and files need as well. */
const MAX_RUNNING = 2;
const MAX_WAITING = 32;

/** `$argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<tag>` */
const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** What is compared where there is no password, so that it takes as long. */
const NOBODYS = stored(COST, randomBytes(SALT_BYTES), randomBytes(TAG_BYTES));

/** Hashes passwords off the event loop, a few at a time, so that a flood of sign-ins fills neither the memory nor the threads. */
@Injectable()
export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** @throws WeirError overloaded */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    return stored(COST, salt, await this.tagOf(password, { ...COST, nonce: salt, tagLength: TAG_BYTES }));
  }

  /** @param hash null: nobody's, which no password is. It takes as long. @throws WeirError overloaded */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const [, memory, passes, parallelism, salt, tag] = PHC.exec(hash ?? NOBODYS) ?? [];
    if (tag === undefined) throw new Error('a stored password has an unknown format');
    const expected = Buffer.from(tag, 'base64');
    const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
    const actual = await this.tagOf(password, { ...cost, nonce: Buffer.from(salt!, 'base64'), tagLength: expected.length });
    return timingSafeEqual(actual, expected) && hash !== null;
  }

  private async tagOf(password: string, parameters: Omit<Argon2Parameters, 'message'>): Promise<Buffer> {
    await this.turn();
    try {
      return await derive('argon2id', { ...parameters, message: password.normalize('NFC') });
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }

  private async turn(): Promise<void> {
    if (this.running >= MAX_RUNNING) {
      if (this.waiting.length >= MAX_WAITING)
        throw new WeirError('overloaded', { message: 'Too many people are signing in. Try again shortly.' });
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    this.running++;
  }
}

function stored({ memory, passes, parallelism }: typeof COST, salt: Buffer, tag: Buffer): string {
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${text(salt)}$${text(tag)}`;
}
