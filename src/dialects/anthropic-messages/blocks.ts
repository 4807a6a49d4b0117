import type { CacheMark, FilePart, ImagePart, Source, TextPart } from '../canonical.js';
import { invalidMessages } from '../kit/fields.js';
import type { JsonObject } from '../kit/json.js';
import { mediaTypeOf } from '../kit/media-type.js';

export type Block = JsonObject;

/** Blank text is refused, so it is left out. */
export const encodeText = ({ text, cache }: TextPart): Block[] =>
  text.trim() === '' ? [] : [{ type: 'text', text, ...encodeMark(cache) }];

/** An empty mark lasts five minutes. */
export function encodeMark(cache: CacheMark | undefined): object {
  if (!cache) return {};
  return { cache_control: cache.ttl === '1h' ? { type: 'ephemeral', ttl: '1h' } : { type: 'ephemeral' } };
}

export function encodeImage({ source, cache }: ImagePart): Block[] {
  if (source.kind === 'text') throw invalidMessages('An image cannot be given as text. Send it as base64 or as a URL.');
  return [{ type: 'image', source: encodeSource(source), ...encodeMark(cache) }];
}

export function encodeFile({ source, name, cache }: FilePart): Block[] {
  if (source.kind === 'base64') {
    const mediaType = mediaTypeOf(source.data, source.mediaType);
    if (mediaType.startsWith('image/')) return encodeImage({ type: 'image', source, cache });
    if (mediaType !== 'application/pdf' && !mediaType.startsWith('text/'))
      throw invalidMessages(`Files of type "${mediaType}" are not supported by this provider. Send a PDF, an image or plain text.`);
  }
  return [{ type: 'document', source: encodeDocument(source), ...(name !== null && { title: name }), ...encodeMark(cache) }];
}

function encodeDocument(source: Source): Block {
  if (source.kind === 'text') return { type: 'text', media_type: 'text/plain', data: source.text };
  if (source.kind === 'base64' && mediaTypeOf(source.data, source.mediaType).startsWith('text/'))
    return { type: 'text', media_type: 'text/plain', data: Buffer.from(source.data, 'base64').toString() };
  return encodeSource(source);
}

function encodeSource(source: Exclude<Source, { kind: 'text' }>): Block {
  switch (source.kind) {
    case 'base64':
      return { type: 'base64', media_type: mediaTypeOf(source.data, source.mediaType), data: source.data };
    case 'url':
      return { type: 'url', url: source.url };
    case 'file':
      return { type: 'file', file_id: source.id };
  }
}
