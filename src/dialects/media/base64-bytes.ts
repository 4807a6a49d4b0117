const ALPHABET = /^[A-Za-z0-9+/_-]*$/;

/** Reads bytes here and there in a base64 text, without decoding all of it. */
export class Base64Bytes {
  /** Of what is encoded. */
  readonly length: number;
  /** Characters without padding, and how many of them are known to be base64. */
  private readonly content: number;
  private checked = 0;

  /** @param reach bytes that may be looked at, so that a far place costs no more than this. */
  constructor(
    private readonly text: string,
    private readonly reach: number,
  ) {
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    this.content = text.length - padding;
    this.length = Math.floor((this.content * 3) / 4);
  }

  /**
   * Null: they are not there, too far, or not certain. White space and padding amid the text are skipped by some decoders and not by others, so
   * nothing behind them is certain.
   */
  at(start: number, count: number): Buffer | null {
    const end = start + count;
    if (start < 0 || end > this.length || end > this.reach) return null;
    const from = Math.floor(start / 3) * 4;
    const to = Math.ceil(end / 3) * 4;
    if (to > this.checked) {
      if (!ALPHABET.test(this.text.slice(this.checked, Math.min(to, this.content)))) return null;
      this.checked = to;
    }
    return Buffer.from(this.text.slice(from, to), 'base64').subarray(start % 3, (start % 3) + count);
  }
}
