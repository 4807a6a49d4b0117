/**
 * A short text that a regular expression of the plain kind matches: characters, classes, groups, alternatives and counts. Looking around and
 * back is passed over. The expression is read, never run.
 */
export const textFor = (pattern: string): string => new Pattern(pattern).text();

const BY_ESCAPE: Record<string, string> = { d: '0', D: 'a', w: 'a', W: '-', s: ' ', S: 'a', b: '', B: '', n: '\n', t: '\t', r: '\r' };
/** What a class that excludes some is tried with. */
const CANDIDATES = ['a', '0', '-', ' ', 'B', '_', '~'];
const MOST = 1_000;

class Pattern {
  private at = 0;

  constructor(private readonly source: string) {}

  /** Up to the end of the group: its first alternative. */
  text(): string {
    let first: string | null = null;
    let current = '';
    while (this.at < this.source.length && this.source[this.at] !== ')') {
      if (this.source[this.at] === '|') {
        this.at++;
        first ??= current;
        current = '';
      } else {
        const piece = this.piece();
        current += piece.repeat(this.count());
      }
    }
    return first ?? current;
  }

  private piece(): string {
    const character = this.source[this.at++]!;
    switch (character) {
      case '^':
      case '$':
        return '';
      case '.':
        return 'a';
      case '(':
        return this.group();
      case '[':
        return this.class();
      case '\\':
        return this.escaped();
      default:
        return character;
    }
  }

  private group(): string {
    const [head = ''] = /^\?(?:[:=!]|<[=!]|<\w+>)/.exec(this.source.slice(this.at)) ?? [];
    this.at += head.length;
    const text = this.text();
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
    const [all = '', least] = /^(?:[*+?]|\{(\d+)(?:,\d*)?\})\??/.exec(this.source.slice(this.at)) ?? [];
    this.at += all.length;
    if (all === '' || all[0] === '+') return 1;
    return Math.min(Number(least ?? 0), MOST);
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
