import { crc32 } from 'node:zlib';
import { Base64Bytes } from './base64-bytes.js';

export interface ImageSize {
  width: number;
  height: number;
}

/** Headers further in than this are not looked for. */
const REACH = 1024 * 1024;
const MAX_SEGMENTS = 4_000;
/** Where the boxes of HEIC and AVIF that tell sizes are. */
const BOXES = 64 * 1024;

/** No picture takes more than this, beside what may be said about it: a header that tells of fewer pixels is not true. */
const MAX_BYTES_PER_PIXEL = 8;
const ROOM_FOR_METADATA = 100_000;

/**
 * Width and height of an image by its own header: PNG, JPEG, GIF, WebP, HEIC and AVIF. Null: another format, no size, or one that cannot be true.
 * @param data base64
 */
export function imageSize(data: string): ImageSize | null {
  const bytes = new Base64Bytes(data, REACH);
  const head = bytes.at(0, 12);
  const size = head && readerOf(head)?.(bytes);
  if (!size || size.width < 1 || size.height < 1) return null;
  const credible = bytes.length <= size.width * size.height * MAX_BYTES_PER_PIXEL + ROOM_FOR_METADATA;
  return credible ? size : null;
}

type Reader = (bytes: Base64Bytes) => ImageSize | null;

function readerOf(head: Buffer): Reader | null {
  const text = head.toString('latin1');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return png;
  if (text.startsWith('\xff\xd8\xff')) return jpeg;
  if (/^GIF8[79]a/.test(text)) return gif;
  if (/^RIFF[\s\S]{4}WEBP/.test(text)) return webp;
  if (/^[\s\S]{4}ftyp(?:hei[cxms]|hev[cx]|mif[12]|msf1|avi[fs])/.test(text)) return boxed;
  return null;
}

function png(bytes: Base64Bytes): ImageSize | null {
  const chunk = bytes.at(8, 25);
  if (chunk?.readUInt32BE(0) !== 13 || chunk.toString('latin1', 4, 8) !== 'IHDR') return null;
  if (crc32(chunk.subarray(4, 21)) !== chunk.readUInt32BE(21)) return null;
  return { width: chunk.readUInt32BE(8), height: chunk.readUInt32BE(12) };
}

/** Markers of frames, but for those that define tables. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
const isBare = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);

function jpeg(bytes: Base64Bytes): ImageSize | null {
  let at = 2;
  for (let segments = 0; segments < MAX_SEGMENTS; segments++) {
    const head = bytes.at(at, 4);
    if (head?.[0] !== 0xff) return null;
    const marker = head[1]!;
    if (marker === 0xff) at += 1;
    else if (isBare(marker)) at += 2;
    else if (isFrame(marker)) {
      const frame = bytes.at(at + 5, 4);
      return frame && { height: frame.readUInt16BE(0), width: frame.readUInt16BE(2) };
    } else if (marker === 0xda || marker === 0xd9) return null;
    else at += 2 + head.readUInt16BE(2);
  }
  return null;
}

/** The screen it says it needs, and its first picture, which may be larger. */
function gif(bytes: Base64Bytes): ImageSize | null {
  const screen = bytes.at(6, 7);
  if (!screen) return null;
  let at = 13 + tableBytes(screen[4]!);
  for (let blocks = 0; blocks < MAX_SEGMENTS; blocks++) {
    const kind = bytes.at(at, 1)?.[0];
    if (kind === 0x2c) {
      const picture = bytes.at(at + 1, 8);
      if (!picture) return null;
      return {
        width: Math.max(screen.readUInt16LE(0), picture.readUInt16LE(0) + picture.readUInt16LE(4)),
        height: Math.max(screen.readUInt16LE(2), picture.readUInt16LE(2) + picture.readUInt16LE(6)),
      };
    }
    if (kind !== 0x21) return null;
    at += 2;
    for (let length = bytes.at(at, 1)?.[0]; length !== 0; length = bytes.at(at, 1)?.[0]) {
      if (length === undefined || ++blocks >= MAX_SEGMENTS) return null;
      at += length + 1;
    }
    at += 1;
  }
  return null;
}

const tableBytes = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);

function webp(bytes: Base64Bytes): ImageSize | null {
  const chunk = bytes.at(12, 18);
  if (!chunk) return null;
  switch (chunk.toString('latin1', 0, 4)) {
    case 'VP8X':
      return { width: chunk.readUIntLE(12, 3) + 1, height: chunk.readUIntLE(15, 3) + 1 };
    case 'VP8L': {
      if (chunk[8] !== 0x2f) return null;
      const sizes = chunk.readUInt32LE(9);
      return { width: (sizes & 0x3fff) + 1, height: ((sizes >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8 ':
      if (chunk.toString('latin1', 11, 14) !== '\x9d\x01\x2a') return null;
      return { width: chunk.readUInt16LE(14) & 0x3fff, height: chunk.readUInt16LE(16) & 0x3fff };
    default:
      return null;
  }
}

/** The largest of the sizes in its boxes: a picture is made of tiles that have theirs, too. */
function boxed(bytes: Base64Bytes): ImageSize | null {
  const head = bytes.at(0, Math.min(BOXES, bytes.length));
  if (!head) return null;
  const size = { width: 0, height: 0 };
  for (let at = head.indexOf('ispe'); at !== -1 && at + 16 <= head.length; at = head.indexOf('ispe', at + 4)) {
    size.width = Math.max(size.width, head.readUInt32BE(at + 8));
    size.height = Math.max(size.height, head.readUInt32BE(at + 12));
  }
  return size;
}
