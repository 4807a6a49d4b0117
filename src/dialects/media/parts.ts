import { isObject, type JsonObject, listOf, textOf } from '../kit/json.js';
import { mediaTypeOf } from '../kit/media-type.js';
import { table } from '../kit/table.js';

/** What stands in a request and is no text. */
export interface Media {
  /**
   * `context`: what a provider keeps and puts before the request. `any`: a part of a kind that is not known here, at an address. `unknown`: one
   * that says what it is itself.
   */
  kind: 'image' | 'document' | 'audio' | 'video' | 'context' | 'any' | 'unknown';
  /** base64; null: it is at an address, or with the provider. */
  data: string | null;
}

/** Fields of a request that may hold media, in any format of clients. */
const ROOTS = ['system', 'instructions', 'messages', 'input', 'inputs', 'prompt'];
/** Fields of a message, an item or a part that hold further parts. */
const INNER = ['content', 'output', 'images', 'parts', 'source', 'screenshot'];
/** State that a provider goes on from. Not `prompt` of completions, which is a text. */
const STATE = ['previous_response_id', 'conversation'];

/** All media of a request, in whichever format of a client's, wherever it stands: in results of tools and in earlier answers, too. */
export function* mediaIn(body: JsonObject): Generator<Media> {
  for (const field of STATE) if (body[field] != null) yield { kind: 'context', data: null };
  if (isObject(body['prompt'])) yield { kind: 'context', data: null };
  for (const root of ROOTS) yield* within(body[root], false);
  // Of requests for embeddings, as some providers take them: pictures in a field of their own, or as data URLs among the texts.
  for (const image of listOf(body['images'])) yield* addressed('image', image);
  for (const text of [body['input']].flat()) if (typeof text === 'string' && DATA_URL.test(text)) yield { kind: 'unknown', data: null };
}

/** @param amid whether it stands where parts do: a part of an unknown type may be anything. */
function* within(value: unknown, amid: boolean): Generator<Media> {
  if (Array.isArray(value)) {
    for (const entry of value) if (typeof entry === 'object') yield* within(entry, amid);
    return;
  }
  if (!isObject(value)) return;
  const type = textOf(value['type']);
  const known = type === null ? null : KINDS[type];
  if (known) return yield* known(value);
  if (amid && !(type !== null && TEXTUAL.test(type)) && !('role' in value))
    yield { kind: pointsAway(value) ? 'any' : 'unknown', data: null };
  // A sound that the model made in an earlier turn.
  if (isObject(value['audio'])) yield { kind: 'audio', data: null };
  for (const field of INNER) yield* within(value[field], field !== 'source' && field !== 'screenshot');
}

const ADDRESS = /^\s*(?:https?|gs|s3|file):\/\//i;
/** Levels of a part in which addresses stand. */
const ADDRESS_DEPTH = 3;

/** Whether a part names an address, or several. */
function pointsAway(value: unknown, levels = ADDRESS_DEPTH): boolean {
  if (typeof value === 'string') return ADDRESS.test(value);
  if (typeof value !== 'object' || value === null || levels === 0) return false;
  return Object.values(value).some((inner) => pointsAway(inner, levels - 1));
}

/** Types of parts and items that are text, or whose inner parts tell. */
const TEXTUAL = /(?:^|[_-])(?:text|thinking|refusal|reasoning|use|call|output|result|reference|message|error|location|tools?)$/;

type Kind = Media['kind'];
type Read = (part: JsonObject) => Iterable<Media>;

const KINDS = table<Read>({
  image_url: (part) => addressed('image', part['image_url']),
  input_image: (part) => addressed('image', part['image_url']),
  computer_screenshot: (part) => addressed('image', part['image_url']),
  image: (part) => (isObject(part['source']) ? sourced('image', part['source']) : addressed('image', part['image_url'] ?? part['image'])),
  image_generation_call: (part) => inline('image', part['result'], 'image/png'),
  document: (part) => sourced('document', part['source']),
  file: (part) => filed(isObject(part['file']) ? part['file'] : part),
  input_file: filed,
  // Mistral, Zhipu, and others.
  document_url: (part) => addressed('document', part['document_url']),
  file_url: (part) => addressed('document', part['file_url']),
  pdf_url: (part) => addressed('document', part['pdf_url']),
  input_audio: (part) => inline('audio', (isObject(part['input_audio']) ? part['input_audio'] : part)['data'], 'audio/unknown'),
  audio: (part) => addressed('audio', part['audio_url'] ?? part['audio'] ?? part['data']),
  audio_url: (part) => addressed('audio', part['audio_url']),
  video: (part) => addressed('video', part['video_url'] ?? part['video']),
  video_url: (part) => addressed('video', part['video_url']),
  input_video: (part) => addressed('video', part['video_url']),
  item_reference: () => [{ kind: 'context', data: null }],
  compaction: () => [{ kind: 'context', data: null }],
});

/** A URL, which may be a data URL, as a text or in an object. */
function addressed(kind: Kind, value: unknown): Media[] {
  const url = textOf(isObject(value) ? (value['url'] ?? value['data']) : value);
  const head = url === null ? null : DATA_URL.exec(url);
  if (!head) return [{ kind, data: null }];
  return inline(kind, url!.slice(head[0].length), head[1] ?? '');
}

const DATA_URL = /^\s*data:([^;,]*)[^,]{0,200},/i;

/** Anthropic's source. */
function* sourced(kind: Kind, source: unknown): Generator<Media> {
  if (!isObject(source)) return;
  switch (source['type']) {
    case 'base64':
      return yield* inline(kind, source['data'], textOf(source['media_type']) ?? '');
    case 'text':
      return;
    case 'content':
      return yield* within(source['content'], true);
    default:
      yield { kind, data: null };
  }
}

/** OpenAI's file: base64, a data URL, or elsewhere. */
function filed(file: JsonObject): Media[] {
  const data = textOf(file['file_data']);
  if (data === null) return [{ kind: 'document', data: null }];
  return data.startsWith('data:') ? addressed('document', data) : inline('document', data, 'application/pdf');
}

/** What it is by how it begins, else by what it claims to be, else by where it stands. Text is text: its bytes are counted as they are. */
function inline(kind: Kind, value: unknown, claimed: string): Media[] {
  const data = textOf(value);
  if (data === null) return [{ kind, data: null }];
  const type = mediaTypeOf(data, claimed);
  if (type.startsWith('text/') || type === 'application/json') return [];
  if (type === 'application/pdf') return [{ kind: 'document', data }];
  const told = (['image', 'audio', 'video'] as const).find((one) => type.startsWith(`${one}/`));
  return [{ kind: told ?? kind, data }];
}
