import type { AudioPart, FilePart, ImagePart, Source, TextPart } from '../../canonical.js';
import type { Fields } from '../../kit/fields.js';
import { cacheMark } from './tools.js';

type Part = TextPart | ImagePart | FilePart | AudioPart;

/** A part of a user's message or of a tool's result. */
export function decodePart(part: Fields): Part {
  const type = part.text('type');
  const mark = cacheMark(part);
  const cache = mark && { cache: mark };
  switch (type) {
    case 'image_url':
      return { ...decodeImage(part), ...cache };
    case 'file':
      return { ...decodeFile(part.object('file')), ...cache };
    case 'input_audio': {
      const audio = part.object('input_audio');
      return { type: 'audio', data: audio.text('data'), format: audio.text('format') };
    }
    default:
      return decodeTextPart(part);
  }
}

export function decodeTextPart(part: Fields): TextPart {
  const type = part.text('type');
  if (type !== 'text') throw part.refuse('type', `"${type}" is not supported here`);
  const mark = cacheMark(part);
  return { type, text: part.text('text'), ...(mark && { cache: mark }) };
}

/** The URL stands in an object; some clients send it bare. */
function decodeImage(part: Fields): ImagePart {
  if (typeof part.values['image_url'] === 'string') return { type: 'image', source: decodeUrl(part, 'image_url') };
  const image = part.object('image_url');
  const detail = image.textOrNull('detail');
  return { type: 'image', source: decodeUrl(image, 'url'), ...(detail !== null && { detail }) };
}

function decodeFile(file: Fields): FilePart {
  const name = file.textOrNull('filename');
  const id = file.textOrNull('file_id');
  if (id !== null) return { type: 'file', source: { kind: 'file', id }, name };
  const data = file.text('file_data');
  // OpenAI takes a data URL; several compatible servers take the bare bytes too.
  if (!/^[a-z]+:/i.test(data)) return { type: 'file', source: { kind: 'base64', mediaType: 'application/pdf', data }, name };
  return { type: 'file', source: decodeUrl(file, 'file_data'), name };
}

const DATA_URL = /^data:([^;,]*)(?:;[^;,]*)*?;base64,/i;

function decodeUrl(fields: Fields, name: string): Source {
  const url = fields.text(name);
  const data = DATA_URL.exec(url.slice(0, 256));
  if (data) return { kind: 'base64', mediaType: data[1]!.toLowerCase() || 'application/octet-stream', data: url.slice(data[0].length) };
  if (!/^(https?|gs|s3):\/\//i.test(url)) throw fields.refuse(name, 'must be an https URL or a base64 data URL');
  return { kind: 'url', url, mediaType: null };
}
