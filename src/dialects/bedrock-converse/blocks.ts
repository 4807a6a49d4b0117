import type { CacheMark, FilePart, ImagePart, Source } from '../canonical.js';
import { invalidMessages } from '../kit/fields.js';
import { mediaTypeOf } from '../kit/media-type.js';
import { table } from '../kit/table.js';

/** One block of a message, e.g. `{text}` or `{toolUse}`. */
export type Block = Record<string, unknown>;

export interface Message {
  role: 'user' | 'assistant';
  content: Block[];
}

const IMAGE_FORMATS = table<string>({
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
});

const DOCUMENT_FORMATS = table<string>({
  'application/pdf': 'pdf',
  'text/csv': 'csv',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'text/html': 'html',
  'text/plain': 'txt',
  'text/markdown': 'md',
});

const refuse = (message: string): never => {
  throw invalidMessages(message);
};

export const imageBlock = ({ source }: ImagePart): Block => {
  const { format, from } = sourceOf(source, IMAGE_FORMATS, 'image');
  return { image: { format, source: from } };
};

/** @param name must say nothing: the model reads it, and a client's file name could carry instructions. */
export const documentBlock = ({ source }: FilePart, name: string): Block => {
  const { format, from } = sourceOf(source, DOCUMENT_FORMATS, 'document');
  return { document: { name, format, source: from } };
};

export const isDocument = (block: Block): boolean => 'document' in block;
export const isText = (block: Block): boolean => 'text' in block;

function sourceOf(source: Source, formats: Readonly<Record<string, string>>, what: string): { format: string; from: Block } {
  switch (source.kind) {
    case 'base64': {
      const type = mediaTypeOf(source.data, source.mediaType);
      return { format: formatOf(type, formats, what), from: { bytes: source.data } };
    }
    case 'text':
      return { format: formatOf('text/plain', formats, what), from: { bytes: Buffer.from(source.text).toString('base64') } };
    case 'url':
      if (!source.url.startsWith('s3://'))
        return refuse(`Bedrock takes the bytes of a ${what}, not a web address. Send it as a base64 data URL, or as an s3:// address.`);
      return {
        format: formatOf(source.mediaType ?? typeOfName(source.url, formats), formats, what),
        from: { s3Location: { uri: source.url } },
      };
    case 'file':
      return refuse(`Bedrock keeps no files, so "${source.id}" is unknown to it. Send the ${what} itself as a base64 data URL.`);
  }
}

const formatOf = (type: string, formats: Readonly<Record<string, string>>, what: string): string =>
  formats[type] ?? refuse(`Bedrock does not take a ${what} of the type "${type}". Send one of ${Object.keys(formats).join(', ')}.`);

/** The media type that a file's name stands for; empty when its ending says nothing. */
function typeOfName(name: string, formats: Readonly<Record<string, string>>): string {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return Object.keys(formats).find((type) => formats[type] === (ending === 'jpg' ? 'jpeg' : ending)) ?? '';
}

/** A block after which the prompt may be cached. */
export const cachePoint = (mark: CacheMark): Block => ({ cachePoint: { type: 'default', ...(mark.ttl === '1h' && { ttl: '1h' }) } });
