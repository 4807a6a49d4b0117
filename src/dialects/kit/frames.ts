import type { Frame } from '../dialect.js';
import { AwsEventStream } from './aws-event-stream.js';
import { isObject, parsed } from './json.js';
import { LongEvent } from './long-event.js';
import { eventData, SseSplitter } from './sse.js';

type Visit = (frame: Frame) => void;

/** Finds the events in a byte stream that is cut anywhere, whatever its framing. */
export interface FrameReader {
  /** @throws when the bytes cannot be such a stream, or one event is longer than 16 MiB. */
  push(chunk: Buffer, visit: Visit): void;
  /** The input is over: a last event may lack what ends it. @throws when bytes are left that are no event. */
  finish(visit: Visit): void;
}

export type Framing = 'sse' | 'ndjson' | 'aws';

const READERS: Record<Framing, () => FrameReader> = {
  sse: () => new SseFrames(),
  ndjson: () => new NdjsonFrames(),
  aws: () => new AwsEventStream(),
};

export const frameReader = (framing: Framing): FrameReader => READERS[framing]();

const CONTENT_TYPES: Record<Framing, string> = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  aws: 'application/vnd.amazon.eventstream',
};

/** Content type of a stream with this framing. */
export const streamType = (framing: Framing): string => CONTENT_TYPES[framing];

const PIECE_BYTES = 64 * 1024;

/** The frames of a whole stream. @throws as a reader does. */
export const framesOf = (framing: Framing, bytes: Buffer): Frame[] => [...eachFrame(framing, bytes)];

/** The same, one after the other. */
export function* eachFrame(framing: Framing, bytes: Buffer): Iterable<Frame> {
  let frames: Frame[] = [];
  const reader = frameReader(framing);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    reader.push(bytes.subarray(at, at + PIECE_BYTES), (frame) => frames.push(frame));
    yield* frames;
    frames = [];
  }
  reader.finish((frame) => frames.push(frame));
  yield* frames;
}

class SseFrames implements FrameReader {
  private readonly splitter = new SseSplitter();

  push(chunk: Buffer, visit: Visit): void {
    this.splitter.push(chunk, (buffer, start, end) => read(buffer.toString('utf8', start, end), visit));
  }

  finish(visit: Visit): void {
    this.splitter.finish((buffer, start, end) => read(buffer.toString('utf8', start, end), visit));
  }
}

function read(text: string, visit: Visit): void {
  for (const frame of sseFrames(text)) visit(frame);
}

/** The events in what an empty line ends: one; none for a comment, an event without data or a word that keeps a connection open. */
export function sseFrames(text: string): Frame[] {
  const data = eventData(text);
  if (data === null || isKeepAlive(data)) return [];
  const joined = joinedEvents(data);
  if (joined) return joined.map((one) => ({ event: null, data: one }));
  const name = /(?:^|[\r\n])event: ?([^\r\n]*)/.exec(text);
  return [{ event: name?.[1] ?? null, data }];
}

/** No format has such data: `ping`, `keep-alive`, … */
export const isKeepAlive = (data: string): boolean => data.length <= 64 && /^(?!null$|true$|false$)[a-z][\w .:-]*$/i.test(data);

/** Some servers write no empty line between events: each line of data is one. Null: it is a single event. */
export function joinedEvents(data: string): string[] | null {
  if (!data.includes('\n')) return null;
  const lines = data.split('\n').filter((line) => line.trim() !== '');
  const areEvents = lines.length > 1 && lines.every((line) => line.trim() === '[DONE]' || isObject(parsed(line)));
  return areEvents ? lines : null;
}

const LF = 10;

/** One JSON text per line. */
class NdjsonFrames implements FrameReader {
  private readonly rest = new LongEvent();

  push(chunk: Buffer, visit: Visit): void {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      this.rest.add(chunk.subarray(start, end));
      this.visitLine(visit);
      start = end + 1;
    }
    this.rest.add(chunk.subarray(start));
  }

  finish(visit: Visit): void {
    this.visitLine(visit);
  }

  private visitLine(visit: Visit): void {
    const line = this.rest.take().toString().trim();
    if (line !== '') visit({ event: null, data: line });
  }
}
