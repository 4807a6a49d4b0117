import { isObject } from './json.js';

/** What tells of output, and is none. */
const LABELS = new Set([
  'id',
  'type',
  'role',
  'index',
  'status',
  'object',
  'call_id',
  'item_id',
  'tool_use_id',
  'format',
  'mime_type',
  'finish_reason',
]);
/** Sound takes at least this many characters of base64 to a token of sound. */
const AUDIO_CHARACTERS_PER_TOKEN = 200;
const BYTES_PER_TOKEN = 3;
/** Deeper, or with more values, it is no output of a model. */
const MAX_VALUES = 10_000;

/** What output of a kind that Weir does not know carries: the bytes of its texts, and how many images. */
export function looseOutput(value: unknown): { bytes: number; images: number } {
  const found = { bytes: 0, images: 0 };
  const open: [string, unknown][] = [['', value]];
  for (let seen = 0; open.length > 0 && seen < MAX_VALUES; seen++) {
    const [name, next] = open.pop()!;
    if (typeof next === 'string') {
      if (isImage(name, next)) found.images++;
      else if (!LABELS.has(name)) found.bytes += Buffer.byteLength(next);
    } else if (Array.isArray(next)) for (const one of next) open.push([name, one]);
    else if (isObject(next)) {
      for (const [key, one] of Object.entries(next)) {
        if (name === 'audio' && key === 'data' && typeof one === 'string')
          found.bytes += Math.ceil(one.length / AUDIO_CHARACTERS_PER_TOKEN) * BYTES_PER_TOKEN;
        else open.push([key, one]);
      }
    }
  }
  return found;
}

const isImage = (name: string, text: string): boolean => text.startsWith('data:image/') || /b64|base64/.test(name);
