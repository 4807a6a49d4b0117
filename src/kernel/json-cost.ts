const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;

/**
 * In eighths of what a value costs. A member has a name, whose bytes are hashed and kept, and which has to be looked up; an escape in a text only
 * has to be resolved.
 */
const COST = { member: 72, nameByte: 1, value: 8, escape: 1 };
/** What a byte outside of texts adds. */
const COST_OF = new Uint8Array(256);
COST_OF[COLON] = COST.member;
COST_OF[COMMA] = COST_OF[OPEN_LIST] = COST_OF[OPEN_OBJECT] = COST.value;

/**
 * How much work a JSON text is beyond its length: counted while it arrives, piece by piece, in a fraction of the time of parsing it. Six
 * million empty lists are as long as one picture, and take a hundred times as long to parse. Anything may be counted, JSON or not.
 */
export class JsonCost {
  /** In values. */
  get total(): number {
    return this.eighths / COST.value;
  }

  private eighths = 0;
  /** Bytes of the last text. */
  private textBytes = 0;
  private inText = false;
  private escaped = false;

  add(piece: Uint8Array): void {
    let { eighths, textBytes, inText, escaped } = this;
    // A loop for each kind of bytes, with as few questions to a byte as can be: it passes over every byte of every request.
    for (let at = 0; at < piece.length; at++) {
      if (escaped) {
        escaped = false;
        textBytes++;
      } else if (inText) {
        const from = at;
        while (at < piece.length && piece[at] !== QUOTE && piece[at] !== BACKSLASH) at++;
        textBytes += at - from;
        if (at === piece.length) break;
        inText = piece[at] === BACKSLASH;
        if (!inText) continue;
        escaped = true;
        textBytes++;
        eighths += COST.escape;
      } else {
        while (at < piece.length && piece[at] !== QUOTE) {
          const byte = piece[at++]!;
          eighths += COST_OF[byte]!;
          if (byte === COLON) eighths += COST.nameByte * textBytes;
        }
        inText = at < piece.length;
        if (inText) textBytes = 0;
      }
    }
    this.eighths = eighths;
    this.textBytes = textBytes;
    this.inText = inText;
    this.escaped = escaped;
  }
}
