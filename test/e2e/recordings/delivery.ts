import type { Random } from '../../support/random.js';

/** Bytes per piece; null: cuts at random. */
const SIZES = [1, 2, 3, 7, 16, null] as const;

/** Ways to write the same events: as they were recorded, and as other servers write them. */
const FRAMINGS = {
  recorded: (events: string) => events,
  crlf: (events: string) => events.replace(/\r?\n/g, '\r\n'),
  comments: (events: string) => `: keep-alive\n\n${events.replace(/\n\n/g, '\n\n: keep-alive\n\n')}`,
  unended: (events: string) => events.trimEnd(),
};

/** Which variant a run by hand is about, e.g. `RECORDINGS=7,crlf`: every stream is then delivered so, to its end. */
const [ASKED_SIZE, ASKED_FRAMING] = (process.env['RECORDINGS'] ?? '').split(',');
/** So many pieces of a stream are as small as that when nobody waits for all of them. */
const SMALL_PIECES = 200;
const MAX_CUTS = 40;

/** A stream in the pieces it arrives in. Another size and another framing each time, unless the run is about one. */
export function deliver(stream: Buffer, isText: boolean, random: Random): Buffer[] {
  const framing = (ASKED_FRAMING as keyof typeof FRAMINGS) || random.pick(Object.keys(FRAMINGS) as (keyof typeof FRAMINGS)[]);
  const bytes = isText ? Buffer.from(FRAMINGS[framing](stream.toString('latin1')), 'latin1') : stream;
  const size = ASKED_SIZE ? Number(ASKED_SIZE) || null : random.pick(SIZES);
  const cuts =
    size === null
      ? Array.from({ length: random.int(1, MAX_CUTS) }, () => random.int(0, bytes.length)).sort((a, b) => a - b)
      : Array.from({ length: Math.min(Math.floor(bytes.length / size), ASKED_SIZE ? Infinity : SMALL_PIECES) }, (_, i) => (i + 1) * size);
  return [...cuts, bytes.length].map((end, i) => bytes.subarray(cuts[i - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}
