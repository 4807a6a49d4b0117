import { inflateSync } from 'node:zlib';

/** Looked through in one go: about a millisecond of work. */
const SLICE = 256 * 1024;
/** What reaches over the seam of two slices is read with the first. */
const SEAM = 16 * 1024;
const MAX_INFLATED = 8 * 1024 * 1024;
const MAX_STREAM_BYTES = 1024 * 1024;
const MAX_STREAMS = 2_000;
/** In noise there is one in 256 bytes. */
const MAX_ESCAPES = 8_000;
/** What the names that tell of pages are. One of them written with escapes is a name all the same. */
const NAMES = new Set(['Type', 'Page', 'Pages', 'Kids', 'Count', 'ObjStm']);

/** Of those, with every letter escaped. */
const LONGEST_NAME = 24;

/** How many pages a PDF tells of, in each of the ways that it can; the most counts. */
interface Told {
  objects: number;
  kids: number;
  count: number;
  /** A list of pages goes on where it was not read. */
  unclear: boolean;
}

/**
 * Counts the pages of a PDF. Gives way after each slice of work: whoever drives it decides what comes between.
 * @returns at least as many as there are; null: it cannot be told.
 */
export function* pdfPages(bytes: Buffer): Generator<void, number | null> {
  const told: Told = { objects: 0, kids: 0, count: 0, unclear: false };
  if (bytes.toString('latin1', 0, 1024).indexOf('%PDF-') === -1) return null;
  let inflated = 0;
  let streams = 0;
  for (let from = 0; from < bytes.length; from += SLICE) {
    const text = bytes.toString('latin1', from, Math.min(bytes.length, from + SLICE + SEAM));
    if (hidesNames(text)) return null;
    read(text, SLICE, told);
    for (let at = text.indexOf('/ObjStm'); at !== -1 && at < SLICE; at = text.indexOf('/ObjStm', at + 7)) {
      if (++streams > MAX_STREAMS) return null;
      const objects = inflate(bytes, from + at, MAX_INFLATED - inflated);
      if (objects === null) return null;
      inflated += objects.length;
      const inner = objects.toString('latin1');
      if (hidesNames(inner)) return null;
      read(inner, inner.length, told);
      if (told.unclear) return null;
      yield;
    }
    if (told.unclear) return null;
    yield;
  }
  const pages = Math.max(told.objects, told.kids, told.count);
  return pages > 0 ? pages : null;
}

/** Counts what begins in the first `upTo` characters. */
function read(text: string, upTo: number, told: Told): void {
  const head = text.slice(0, upTo + 32);
  told.objects += head.match(/\/Type\s{0,8}\/Page(?![A-Za-z])/g)?.length ?? 0;
  for (const [, count] of head.matchAll(/\/Count\s{1,8}(\d{1,9})/g)) told.count = Math.max(told.count, Number(count));
  for (let at = text.indexOf('/Kids'); at !== -1 && at < upTo && !told.unclear; ) {
    const end = text.indexOf(']', at);
    if (end === -1) told.unclear = true;
    else told.kids += text.slice(at, end).match(/\d{1,10}\s{1,8}\d{1,5}\s{1,8}R/g)?.length ?? 0;
    at = text.indexOf('/Kids', end);
  }
}

function hidesNames(text: string): boolean {
  let escapes = 0;
  for (let at = text.indexOf('#'); at !== -1; at = text.indexOf('#', at + 1)) {
    if (++escapes > MAX_ESCAPES) return true;
    const near = text.slice(Math.max(0, at - LONGEST_NAME), at + LONGEST_NAME);
    const name = /\/((?:[A-Za-z]|#[0-9A-Fa-f]{2}){1,8})/.exec(near.slice(near.lastIndexOf('/', Math.min(at, LONGEST_NAME))))?.[1];
    if (name?.includes('#') && NAMES.has(name.replace(/#(..)/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16))))) return true;
  }
  return false;
}

/** The objects of a stream of objects. Null: they cannot be read, or are more than is looked through. */
function inflate(bytes: Buffer, at: number, most: number): Buffer | null {
  const begin = bytes.subarray(at, at + 4_096).indexOf('stream');
  if (begin === -1 || most <= 0) return null;
  const from = at + begin + (bytes[at + begin + 6] === 0x0d ? 8 : 7);
  const packed = bytes.subarray(from, from + MAX_STREAM_BYTES);
  const end = packed.indexOf('endstream');
  try {
    return inflateSync(end === -1 ? packed : packed.subarray(0, end), { maxOutputLength: Math.min(most, MAX_STREAM_BYTES) });
  } catch {
    return null;
  }
}
