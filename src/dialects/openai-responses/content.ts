import type { AudioPart, FilePart, ImagePart, RefusalPart, Source, TextPart } from '../canonical.js';
import { Fields, invalid } from '../kit/fields.js';

type InputPart = TextPart | ImagePart | FilePart | AudioPart;

/** What a user, a system message or a tool says. @param name of the field, a text or a list of parts. */
export function decodeInputContent(holder: Fields, name: string): InputPart[] {
  return decodeParts(holder, name, (part) => {
    switch (part.text('type')) {
      case 'input_text':
        return { type: 'text', text: part.text('text') };
      case 'input_image':
        return imagePart(part);
      case 'input_file':
        return { type: 'file', source: fileSource(part), name: part.textOrNull('filename') };
      case 'input_audio': {
        const audio = part.object('input_audio');
        return { type: 'audio', data: audio.text('data'), format: audio.text('format') };
      }
      default:
        throw unknownPart(part, 'input_text, input_image, input_file and input_audio');
    }
  });
}

/** What the model said in an earlier turn. @param leftOut takes the names of what other formats have no place for. */
export function decodeOutputContent(message: Fields, leftOut: Set<string>): (TextPart | RefusalPart)[] {
  const phase = message.textOrNull('phase');
  const parts = decodeParts<TextPart | RefusalPart>(message, 'content', (part) => {
    switch (part.text('type')) {
      case 'output_text':
      case 'input_text':
        if (part.listOrNull('annotations')?.length) leftOut.add('input: annotations');
        return { type: 'text', text: part.text('text') };
      case 'refusal':
        return { type: 'refusal', text: part.text('refusal') };
      default:
        throw unknownPart(part, 'output_text and refusal');
    }
  });
  return parts.map((part) => (part.type === 'text' && phase !== null ? { ...part, phase } : part));
}

function decodeParts<Part>(holder: Fields, name: string, decode: (part: Fields) => Part): (Part | TextPart)[] {
  const content = holder.values[name];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw holder.refuse(name, 'must be a string or a list of parts');
  return holder.entries(name).map(decode);
}

const unknownPart = (part: Fields, known: string) =>
  invalid(part.param('type'), `A content part of type "${part.text('type')}" cannot be used here. Send ${known}.`);

function imagePart(part: Fields): ImagePart {
  const detail = part.textOrNull('detail');
  return { type: 'image', source: imageSource(part), ...(detail !== null && { detail }) };
}

function imageSource(part: Fields): Source {
  const id = part.textOrNull('file_id');
  return id !== null ? { kind: 'file', id } : urlSource(part, 'image_url');
}

function fileSource(part: Fields): Source {
  const id = part.textOrNull('file_id');
  if (id !== null) return { kind: 'file', id };
  const data = part.textOrNull('file_data');
  if (data === null) return urlSource(part, 'file_url');
  // Bare base64 is what older clients send.
  return dataUrl(data) ?? { kind: 'base64', mediaType: 'application/pdf', data };
}

function urlSource(part: Fields, name: string): Source {
  const url = part.text(name);
  if (/^https?:\/\//i.test(url)) return { kind: 'url', url, mediaType: null };
  const source = dataUrl(url);
  if (!source) throw part.refuse(name, 'must be an http(s) or a base64 data URL');
  return source;
}

const DATA_URL = /^data:([^;,]*)(?:;[^;,]*)*;base64,/i;

function dataUrl(url: string): Source | null {
  const head = DATA_URL.exec(url);
  return head && { kind: 'base64', mediaType: head[1] || 'application/octet-stream', data: url.slice(head[0].length) };
}
