import { awsFrame } from '../support/aws-frames.js';
import type { Random } from '../support/random.js';
import { mutateBytes, mutateJson } from './mutate.js';

export type Framing = 'sse' | 'ndjson' | 'aws';

/** A stream in the pieces it is made of: events, lines, AWS frames. */
export function piecesOf(framing: Framing, bytes: Buffer): Buffer[] {
  if (framing === 'aws') return awsPieces(bytes);
  const text = bytes.toString('latin1');
  const pieces = text.split(framing === 'sse' ? /(?<=\n\r?\n)/ : /(?<=\n)/);
  return pieces.filter((piece) => piece !== '').map((piece) => Buffer.from(piece, 'latin1'));
}

function awsPieces(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.length - at >= 16 ? Math.max(16, bytes.readUInt32BE(at)) : bytes.length - at;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

/** A piece with other data in it, its framing still right. */
function withJson(framing: Framing, piece: Buffer, change: (value: unknown) => unknown): Buffer {
  if (framing === 'aws') {
    if (piece.length < 16) return piece;
    const payloadAt = 12 + piece.readUInt32BE(4);
    const payload = changed(piece.toString('utf8', payloadAt, piece.length - 4), change);
    return payload === null ? piece : awsFrame(piece.subarray(12, payloadAt), Buffer.from(payload));
  }
  const text = piece.toString();
  const at = framing === 'sse' ? /data: ?/.exec(text) : /^/.exec(text);
  if (!at) return piece;
  const start = at.index + at[0].length;
  const end = text.trimEnd().length;
  const data = changed(text.slice(start, end), change);
  return data === null ? piece : Buffer.from(text.slice(0, start) + data + text.slice(end));
}

function changed(json: string, change: (value: unknown) => unknown): string | null {
  try {
    return stringify(change(JSON.parse(json))) ?? null;
  } catch {
    return null;
  }
}

/** Also of what is nested too deep for JSON.stringify. */
export function stringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    return `{"deep":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
  }
}

/** Another stream: events dropped, repeated, exchanged, taken from elsewhere, and changed in themselves. */
export function mutateStream(framing: Framing, bytes: Buffer, donor: Buffer, random: Random): Buffer {
  const pieces = piecesOf(framing, bytes);
  const others = piecesOf(framing, donor);
  for (let times = random.pick([1, 1, 2, 3, 5]); times > 0 && pieces.length > 0; times--) {
    const at = random.int(0, pieces.length - 1);
    const other = others.length > 0 ? random.pick(others) : pieces[at]!;
    switch (random.int(0, 9)) {
      case 0:
        pieces.splice(at, 1);
        break;
      case 1:
        pieces.splice(at, 0, pieces[at]!);
        break;
      case 2:
        pieces.push(...pieces.splice(at, 1));
        break;
      case 3:
        pieces.splice(at, 0, other);
        break;
      case 4: {
        const second = random.int(0, pieces.length - 1);
        [pieces[at], pieces[second]] = [pieces[second]!, pieces[at]!];
        break;
      }
      case 5:
        if (random.chance(0.3)) pieces[at] = mutateBytes(pieces[at]!, random);
        break;
      default:
        pieces[at] = withJson(framing, pieces[at]!, (value) => mutateJson(value, jsonIn(framing, other), random));
    }
  }
  const mutant = Buffer.concat(pieces);
  return random.chance(0.05) ? mutateBytes(mutant, random) : mutant;
}

function jsonIn(framing: Framing, piece: Buffer): unknown {
  let found: unknown = null;
  withJson(framing, piece, (value) => {
    found = value;
    return value;
  });
  return found;
}
