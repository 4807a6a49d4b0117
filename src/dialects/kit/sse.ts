import { LongEvent } from './long-event.js';

const LF = 10;
const CR = 13;

/** Called with a buffer and where in it one whole event lies, its blank line included. */
type Visit = (buffer: Buffer, start: number, end: number) => void;

/**
 * Finds whole server-sent events in a byte stream cut anywhere. Line ends may be LF, CRLF or CR; a byte-order mark is dropped. Works on
 * bytes, so a character split between chunks stays whole.
 */
export class SseSplitter {
  private readonly held = new LongEvent();
  /** The last bytes held. */
  private last: Buffer = NOTHING;
  private started = false;

  /** @throws TooMuchWork */
  push(chunk: Buffer, visit: Visit): void {
    if (chunk.length === 0) return;
    if (!this.held.isEmpty && this.started && !mayEndEvent(this.last, chunk)) return this.hold(chunk);
    let buffer = this.takeHeld(chunk);
    if (!this.started) {
      if (buffer[0] === 0xef && buffer.length < 3) return this.hold(buffer);
      this.started = true;
      if (buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf) buffer = buffer.subarray(3);
    }
    const endOf = buffer.includes(CR) ? endOfAnyEvent : endOfLfEvent;
    let start = 0;
    for (let end = endOf(buffer, start); end !== -1; end = endOf(buffer, start)) {
      visit(buffer, start, end);
      start = end;
    }
    if (start < buffer.length) this.hold(buffer.subarray(start));
  }

  /** The input is over: a last event may lack its blank line. */
  finish(visit: Visit): void {
    if (this.held.isEmpty) return;
    const last = this.takeHeld(Buffer.from('\n\n'));
    visit(last, 0, last.length);
  }

  private hold(piece: Buffer): void {
    this.held.add(piece);
    this.last = piece.length >= 2 ? piece.subarray(-2) : Buffer.concat([this.last.subarray(-1), piece]);
  }

  private takeHeld(chunk: Buffer): Buffer {
    this.last = NOTHING;
    return this.held.isEmpty ? chunk : this.held.take(chunk);
  }
}

const NOTHING = Buffer.alloc(0);
const EMPTY_LINES = ['\n\n', '\n\r', '\r\r'];

/** Whether an empty line ends in these bytes; the two before them may be a part of it. */
function mayEndEvent(before: Buffer, chunk: Buffer): boolean {
  const seam = Buffer.concat([before, chunk.subarray(0, 2)]);
  return EMPTY_LINES.some((empty) => seam.includes(empty, 0, 'latin1') || chunk.includes(empty, 0, 'latin1'));
}

function endOfLfEvent(buffer: Buffer, start: number): number {
  const at = buffer.indexOf('\n\n', start, 'latin1');
  return at === -1 ? -1 : at + 2;
}

/** Position after the next empty line, whatever the line ends. A CR at the very end may be half a CRLF: undecided. */
function endOfAnyEvent(buffer: Buffer, start: number): number {
  let lineStart = start;
  for (let i = start; i < buffer.length; i++) {
    const byte = buffer[i];
    if (byte !== LF && byte !== CR) continue;
    if (byte === CR && i + 1 === buffer.length) return -1;
    const next = byte === CR && buffer[i + 1] === LF ? i + 2 : i + 1;
    if (i === lineStart) return next;
    lineStart = next;
    i = next - 1;
  }
  return -1;
}

/** The data of one event, its `data:` lines joined; null when it has none, or empty ones: such an event is none. `text` is latin1: bytes stay apart. */
export function eventData(text: string): string | null {
  // Nearly every event is one line of data.
  if (text.startsWith('data:') && text.indexOf('\n') === text.length - 2 && !text.includes('\r'))
    return text.slice(text[5] === ' ' ? 6 : 5, -2) || null;
  const data = text
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('data:') || line === 'data')
    .map((line) => line.slice(line[5] === ' ' ? 6 : 5));
  return data.join('\n') || null;
}
