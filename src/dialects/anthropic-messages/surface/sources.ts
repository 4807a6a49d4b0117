import type { FilePart, ImagePart, Source, TextPart } from '../../canonical.js';
import type { Fields } from '../../kit/fields.js';

export const decodeImage = (block: Fields): ImagePart => ({ type: 'image', source: decodeSource(block.object('source')) });

/** A document given as blocks is read as its texts. */
export function decodeDocument(block: Fields, leftOut: string[]): (FilePart | TextPart)[] {
  noteCitations(block, leftOut);
  if (block.has('context')) leftOut.push('messages: context');
  const name = block.written('title');
  const source = block.object('source');
  if (source.text('type') !== 'content') return [{ type: 'file', source: decodeSource(source), name }];
  const { content } = source.values;
  const texts = typeof content === 'string' ? [content] : source.entries('content').map((inner) => inner.text('text'));
  return texts.map((text) => ({ type: 'text', text }));
}

/** A piece of knowledge with where it is from. */
export function decodeSearchResult(block: Fields, leftOut: string[]): TextPart {
  noteCitations(block, leftOut);
  const texts = block.entries('content').map((inner) => inner.text('text'));
  return { type: 'text', text: [`${block.text('title')} (${block.text('source')})`, ...texts].join('\n\n') };
}

function noteCitations(block: Fields, leftOut: string[]): void {
  if (block.objectOrNull('citations')?.booleanOrNull('enabled')) leftOut.push('messages: citations');
}

function decodeSource(source: Fields): Source {
  const type = source.oneOf('type', ['base64', 'url', 'file', 'text']);
  switch (type) {
    case null:
      throw source.refuse('type', 'must be one of base64, url, file, text');
    case 'base64':
      return { kind: 'base64', mediaType: source.text('media_type'), data: source.text('data') };
    case 'url':
      return { kind: 'url', url: source.text('url'), mediaType: null };
    case 'file':
      return { kind: 'file', id: source.text('file_id') };
    case 'text':
      return { kind: 'text', text: source.text('data') };
  }
}
