import type { Work } from '../../kernel/slices.js';
import type { Secret } from '../../platform/crypto/index.js';

/** A shorter secret may turn up anywhere by chance. */
const MIN_LENGTH = 20;
/** A longer line is searched as it is only: no honest piece of a stream comes near this. */
const MAX_LINE = 256 * 1024;
/** Removing the escapes of so many characters takes about two milliseconds. */
const PIECE_CHARACTERS = 32 * 1024;
const LONGEST_ESCAPE = 6;
const MAX_CHANNELS = 1_000;

/** A field of JSON whose value is a text; the value is without its quotes. */
const TEXT_FIELD = /"([\w-]{1,64})"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"/gs;
/** What tells pieces of different answers, blocks and tool calls apart in the streams of all formats. */
const PLACE = /"(?:index|output_index|content_index|summary_index|item_id)"\s*:\s*("[^"\\]*"|\d+)/g;
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g;

/**
 * Finds secrets in what a client is about to get: as they are, with JSON escapes, as base64 or hex, and cut into any pieces that a client joins.
 * A half of a secret counts: pieces that were sent before the rest came never make up more.
 */
export class SecretWatch {
  private readonly needles: readonly string[];
  private readonly longest: number;
  /** The last characters of each text that comes in pieces. */
  private readonly tails = new Map<string, string>();

  constructor(secrets: readonly Secret[]) {
    this.needles = secrets.flatMap(needlesOf);
    this.longest = this.needles.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /** Whether this, with what came before it, repeats a secret. */
  *search(bytes: Buffer): Work<boolean> {
    if (this.needles.length === 0) return false;
    const text = bytes.toString('latin1');
    if (this.has(text)) return true;
    const events = text.split('\n').filter((line) => line.startsWith('data:'));
    for (const line of events.length > 0 ? events : [text]) {
      if (line.length > MAX_LINE ? yield* this.isInLong(line) : this.isInFields(line)) return true;
      yield;
    }
    return false;
  }

  /** Whether one is in a line without its escapes. */
  private *isInLong(line: string): Work<boolean> {
    if (!line.includes('\\')) return false;
    let before = '';
    for (let from = 0; from < line.length; ) {
      const to = endOfPiece(line, from);
      const joined = before + unescaped(line.slice(from, to));
      if (this.has(joined)) return true;
      before = joined.slice(-(this.longest - 1));
      from = to;
      yield;
    }
    return false;
  }

  /** Whether a text repeats a secret, whatever came before. */
  has(text: string): boolean {
    return this.needles.some((needle) => text.includes(needle));
  }

  private isInFields(line: string): boolean {
    const place = Array.from(line.matchAll(PLACE), ([, value]) => value).join();
    for (const [, name, value] of line.matchAll(TEXT_FIELD)) {
      const channel = `${name} ${place}`;
      const joined = (this.tails.get(channel) ?? '') + unescaped(value!);
      if (this.has(joined)) return true;
      if (this.tails.size >= MAX_CHANNELS) this.tails.delete(this.tails.keys().next().value!);
      this.tails.set(channel, joined.slice(-(this.longest - 1)));
    }
    return false;
  }
}

const known = new WeakMap<Secret, readonly string[]>();

/** What is searched for of a secret. Most calls show the same ones. */
function needlesOf(secret: Secret): readonly string[] {
  let needles = known.get(secret);
  if (!needles) {
    needles = needlesIn(secret.reveal());
    known.set(secret, needles);
  }
  return needles;
}

/** The two halves of a long secret, the first and the last 20 characters of a shorter one, and the whole in other letters. */
function needlesIn(secret: string): string[] {
  if (secret.length < MIN_LENGTH) return [];
  const length = Math.max(MIN_LENGTH, Math.ceil(secret.length / 2));
  const bytes = Buffer.from(secret);
  return [secret.slice(0, length), secret.slice(-length), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('hex')];
}

/** Where a piece of a line ends that begins there: not within an escape. */
function endOfPiece(line: string, from: number): number {
  const to = from + PIECE_CHARACTERS;
  if (to >= line.length) return line.length;
  const last = line.lastIndexOf('\\', to - 1);
  if (last <= to - LONGEST_ESCAPE || last <= from) return to;
  let first = last;
  while (first > from && line[first - 1] === '\\') first--;
  return (last - first) % 2 === 0 ? last : to;
}

const unescaped = (json: string): string =>
  json.includes('\\')
    ? json.replace(ESCAPE, (_, code: string | undefined, plain: string) =>
        code === undefined ? plain : String.fromCharCode(Number.parseInt(code, 16)),
      )
    : json;
