import type { GeminiRules } from '../../model-rules/index.js';
import type { AudioPart, FilePart, ImagePart } from '../canonical.js';
import { invalidMessages } from '../kit/fields.js';
import { mediaTypeOf } from '../kit/media-type.js';
import { table } from '../kit/table.js';

/** One part of a turn, as it goes on the wire. */
export type GeminiPart = Record<string, unknown>;

const FILES_API = 'https://generativelanguage.googleapis.com/v1beta/';

/** Kinds of files that a function's response may hold. */
const ANSWERABLE = ['image/png', 'image/jpeg', 'image/webp', 'application/pdf', 'text/plain'];

/** An image, a document or a sound. @throws WeirError invalid_request when the model cannot be given it. */
export function filePart(part: ImagePart | FilePart | AudioPart, family: GeminiRules): GeminiPart {
  if (part.type === 'audio') return inline(`audio/${part.format}`, part.data);
  const { source } = part;
  switch (source.kind) {
    case 'base64':
      return inline(mediaTypeOf(source.data, source.mediaType), source.data);
    case 'text':
      return { text: source.text };
    case 'url':
      return stored(webAddress(source.url, family), source.mediaType ?? typeByName(source.url));
    case 'file':
      return stored(fileAddress(source.id), typeByName(source.id));
  }
}

export const isAnswerable = (part: GeminiPart): boolean =>
  ANSWERABLE.includes((part['inlineData'] as { mimeType?: string } | undefined)?.mimeType ?? '');

const inline = (mimeType: string, data: string): GeminiPart => ({ inlineData: { mimeType, data } });

const stored = (fileUri: string, mimeType: string | null): GeminiPart => ({
  fileData: { ...(mimeType !== null && { mimeType }), fileUri },
});

/** Files that Google holds itself every model reads; those of the web only newer ones do. */
function webAddress(url: string, { webFiles }: GeminiRules): string {
  if (webFiles || isGoogles(url)) return url;
  throw invalidMessages('This model does not fetch files from the web. Send the content itself, as a data URL.');
}

function isGoogles(url: string): boolean {
  if (url.startsWith('gs://')) return true;
  const host = URL.parse(url)?.hostname;
  return host === 'generativelanguage.googleapis.com' || host === 'youtu.be' || host === 'youtube.com' || host === 'www.youtube.com';
}

function fileAddress(id: string): string {
  if (id.startsWith('files/')) return `${FILES_API}${id}`;
  if (id.startsWith('gs://') || id.startsWith(FILES_API)) return id;
  throw invalidMessages(`The file "${id}" is not one of this provider's. Use an id such as "files/abc", or send the content itself.`);
}

const TYPES = table<string>({
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  heic: 'image/heic',
  pdf: 'application/pdf',
  txt: 'text/plain',
  mp4: 'video/mp4',
});

/** Vertex wants to know the kind of each file. */
function typeByName(address: string): string | null {
  const ending = /\.([a-z0-9]{1,5})(?:[?#]|$)/i.exec(address)?.[1]?.toLowerCase();
  return (ending !== undefined && TYPES[ending]) || null;
}
