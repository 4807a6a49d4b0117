import { Base64Bytes } from './base64-bytes.js';

/** Bytes for a second, at the least: of WAV what is worth believing, of MP3 the lowest there is. */
const MIN_WAV_RATE = 2_000;
const MIN_MP3_RATE = 1_000;

/**
 * The most seconds that a sound lasts. Null: its format allows silence of any length in a few bytes, or is not known.
 * @param data base64
 */
export function soundSeconds(data: string): number | null {
  const bytes = new Base64Bytes(data, 64 * 1024);
  const head = bytes.at(0, 44);
  if (!head) return null;
  const text = head.toString('latin1');
  if (/^RIFF[\s\S]{4}WAVEfmt /.test(text)) {
    const isPlain = head.readUInt16LE(20) === 1;
    const rate = Math.min(head.readUInt32LE(28), head.readUInt32LE(24) * head.readUInt16LE(32));
    return isPlain && rate >= MIN_WAV_RATE ? bytes.length / rate : null;
  }
  return text.startsWith('ID3') || (head[0] === 0xff && (head[1]! & 0xe6) === 0xe2) ? bytes.length / MIN_MP3_RATE : null;
}
