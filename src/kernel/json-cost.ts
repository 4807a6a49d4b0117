const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;

/** In eighths of what a value costs. A member has a name, which has to be looked up; an escape in a text only has to be resolved. */
const COST = { member: 80, value: 8, escape: 1 };

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
  private inText = false;
  private escaped = false;

  add(piece: Uint8Array): void {
    let { eighths, inText, escaped } = this;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!;
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === QUOTE) inText = false;
        else if (byte === BACKSLASH) {
          escaped = true;
          eighths += COST.escape;
        }
      } else if (byte === QUOTE) inText = true;
      else if (byte === COLON) eighths += COST.member;
      else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) eighths += COST.value;
    }
    this.eighths = eighths;
    this.inText = inText;
    this.escaped = escaped;
  }
}
