/** Of all sequences together. The tables grow with the square of it. */
export const MAX_STOP_CHARACTERS = 1_000;

/** Finds where the first of several sequences ends, in time that grows with the text alone: the automaton of Aho and Corasick. */
export class StopSequences {
  /** By state: how long the beginning of a sequence is that was read last. */
  readonly begun: Uint16Array;
  /** By state: how long the sequence is that was read last; 0: none was. */
  readonly ended: Uint16Array;
  /** By character: its column; 0: it is in no sequence. */
  private readonly columns = new Uint16Array(0x1_0000);
  private width = 1;
  /** By state and column: the next state. State 0 has read nothing of a sequence. */
  private readonly next: Uint16Array;

  constructor(sequences: readonly string[]) {
    const characters = sequences.join('');
    for (let at = 0; at < characters.length; at++) this.columns[characters.charCodeAt(at)] ||= this.width++;
    const states = characters.length + 1;
    this.begun = new Uint16Array(states);
    this.ended = new Uint16Array(states);
    this.next = new Uint16Array(states * this.width);
    this.lay(sequences);
    this.connect();
  }

  /** @returns the state after the text, or where the first sequence ends, and where that is. */
  read(text: string, from: number): { state: number; end: number } {
    const { columns, next, width, ended } = this;
    let state = from;
    for (let at = 0; at < text.length; at++) {
      state = next[state * width + columns[text.charCodeAt(at)]!]!;
      if (ended[state]! > 0) return { state, end: at + 1 };
    }
    return { state, end: text.length };
  }

  /** Sequences that begin alike share their first states. */
  private lay(sequences: readonly string[]): void {
    let last = 0;
    for (const sequence of sequences) {
      let state = 0;
      for (let at = 0; at < sequence.length; at++) {
        const step = state * this.width + this.columns[sequence.charCodeAt(at)]!;
        state = this.next[step] ||= ++last;
        this.begun[state] = at + 1;
      }
      this.ended[state] = sequence.length;
    }
  }

  /** A state without a step of its own goes where the longest end of it that is also a beginning goes. Shorter ones come first. */
  private connect(): void {
    const { next, width, ended } = this;
    const shorter = new Uint16Array(ended.length);
    const open = [0];
    for (const state of open)
      for (let step = 1; step < width; step++) {
        const at = state * width + step;
        const fallback = state === 0 ? 0 : next[shorter[state]! * width + step]!;
        const own = next[at]!;
        if (own === 0) next[at] = fallback;
        else {
          shorter[own] = fallback;
          ended[own] ||= ended[fallback]!;
          open.push(own);
        }
      }
  }
}
