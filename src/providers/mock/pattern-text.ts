import { TooMuch } from './effort.js';

/** Longer patterns are not read, nor deeper ones, and no longer text is made. */
const MAX_PATTERN = 4_096;
const MAX_DEPTH = 64;
const MAX_TEXT = 10_000;

/**
 * A short text that a regular expression of the plain kind matches: characters, classes, groups, alternatives and counts. Looking around and
 * back is passed over. The expression is read, never run.
 * @throws TooMuch
 */
export function textFor(pattern: string): string {
  if (pattern.length > MAX_PATTERN) throw tooMuch();
  return new Pattern(pattern).text(MAX_DEPTH);
}

const tooMuch = () =>
  new TooMuch('The mock provider cannot make a text for a "pattern" of this schema: it is too long, or too deeply nested.');

const BY_ESCAPE: Record<string, string> = { d: '0', D: 'a', w: 'a', W: '-', s: ' ', S: 'a', b: '', B: '', n: '\n', t: '\t', r: '\r' };
/** What a class that excludes some is tried with. */
const CANDIDATES = ['a', '0', '-', ' ', 'B', '_', '~'];
const COUNT = /(?:[*+?]|\{(\d+)(?:,\d*)?\})\??/y;
const GROUP_HEAD = /\?(?:[:=!]|<[=!]|<\w+>)/y;

class Pattern {
  private at = 0;

  constructor(private readonly source: string) {}

  /** Up to the end of the group: its first alternative. */
  text(levels: number): string {
    if (levels === 0) throw tooMuch();
    let first: string | null = null;
    let current = '';
    while (this.at < this.source.length && this.source[this.at] !== ')') {
      if (this.source[this.at] === '|') {
        this.at++;
        first ??= current;
        current = '';
      } else {
        const piece = this.piece(levels);
        const count = this.count();
        if (current.length + piece.length * count > MAX_TEXT) throw tooMuch();
        current += piece.repeat(count);
      }
    }
    return first ?? current;
  }

  private piece(levels: number): string {
    const character = this.source[this.at++]!;
    switch (character) {
      case '^':
      case '$':
        return '';
      case '.':
        return 'a';
      case '(':
        return this.group(levels - 1);
      case '[':
        return this.class();
      case '\\':
        return this.escaped();
      default:
        return character;
    }
  }

  private group(levels: number): string {
    const [head = ''] = this.read(GROUP_HEAD) ?? [];
    const text = this.text(levels);
    this.at++;
    return /[=!]/.test(head) ? '' : text;
  }

  private escaped(): string {
    const character = this.source[this.at++] ?? '';
    return BY_ESCAPE[character] ?? character;
  }

  private class(): string {
    const excludes = this.source[this.at] === '^';
    if (excludes) this.at++;
    const from = this.at;
    let first: string | null = null;
    while (this.at < this.source.length && this.source[this.at] !== ']') {
      const character = this.source[this.at++]!;
      const member = character === '\\' ? this.escaped() : character;
      first ??= member;
    }
    const members = this.source.slice(from, this.at++);
    if (!excludes) return first ?? '';
    return CANDIDATES.find((candidate) => !covers(members, candidate)) ?? '';
  }

  /** How often what came before stands, at the least. */
  private count(): number {
    const [all = '', least] = this.read(COUNT) ?? [];
    return all === '' || all[0] === '+' ? 1 : Number(least ?? 0);
  }

  private read(what: RegExp): RegExpExecArray | null {
    what.lastIndex = this.at;
    const found = what.exec(this.source);
    this.at += found?.[0].length ?? 0;
    return found;
  }
}

/** Whether the members of a class have a character among them, as they are written. */
function covers(members: string, character: string): boolean {
  const ranges = [...members.matchAll(/(\\?.)-(\\?.)/g)].some(([, from, to]) => character >= from!.at(-1)! && character <= to!.at(-1)!);
  const classes =
    (/\\d/.test(members) && /\d/.test(character)) ||
    (/\\w/.test(members) && /\w/.test(character)) ||
    (/\\s/.test(members) && /\s/.test(character));
  return ranges || classes || members.includes(character);
}
