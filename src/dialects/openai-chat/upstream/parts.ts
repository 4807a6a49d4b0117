import type { FilePart, ImagePart, Source, UserTurn } from '../../canonical.js';
import { invalidMessages } from '../../kit/fields.js';
import type { JsonObject } from '../../kit/json.js';

type Part = UserTurn['parts'][number];

/** One part of a message. @throws WeirError invalid_request when chat completions have no form for it. */
export function encodePart(part: Part): JsonObject {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text };
    case 'image':
      return encodeImage(part);
    case 'file':
      return encodeFile(part);
    case 'audio':
      return { type: 'input_audio', input_audio: { data: part.data, format: part.format } };
  }
}

function encodeImage({ source, detail }: ImagePart): JsonObject {
  const url = source.kind === 'url' ? source.url : source.kind === 'base64' ? dataUrl(source) : null;
  if (url === null) throw invalidMessages('An image must be given as a URL or as base64 data for this provider.');
  return { type: 'image_url', image_url: { url, ...(detail !== undefined && { detail }) } };
}

function encodeFile({ source, name }: FilePart): JsonObject {
  switch (source.kind) {
    case 'text':
      return { type: 'text', text: source.text };
    case 'file':
      return { type: 'file', file: { file_id: source.id } };
    case 'base64':
      return { type: 'file', file: { filename: name ?? `document.${extensionOf(source.mediaType)}`, file_data: dataUrl(source) } };
    case 'url':
      throw invalidMessages('A file must be given as base64 data for this provider, not as a URL.');
  }
}

const dataUrl = ({ mediaType, data }: Extract<Source, { kind: 'base64' }>): string => `data:${mediaType};base64,${data}`;

/** `application/pdf` → `pdf`. */
const extensionOf = (mediaType: string): string => /\/([a-z0-9]+)$/.exec(mediaType)?.[1] ?? 'bin';
