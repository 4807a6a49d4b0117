import { type CallRequest, type IsAble, seesImages, Unsupported } from '../dialects/index.js';
import { type Encoding, rulesOf } from '../model-rules/index.js';
import type { Target } from '../routing/index.js';
import { countTokens } from './tokenizers.js';

/**
 * Refuses what a model is known not to take: images, and a prompt that is certainly longer than its context window.
 * @returns a promise where tokens have to be counted first; null, as nearly always, where all is said.
 * @throws WeirError invalid_request, context_length_exceeded
 */
export function checkFit(tenantId: string, prompt: CallRequest, target: Target): Promise<void> | null {
  if (target.facts.vision === false) refuseImages(prompt, target);
  const encoding = mayBeTooLong(prompt, target) ? rulesOf(target.modelRulesOf ?? target.model).encoding : null;
  return encoding && SEAMED.has(encoding) ? refuseTooLong(tenantId, prompt, target, encoding) : null;
}

function refuseImages(prompt: CallRequest, { model }: Target): void {
  for (const part of partsOf(prompt)) {
    if (!IMAGES.has(part['type'])) continue;
    const message = `"${model}" takes no images. Leave them out, or use a model with vision: see "capabilities" in GET /v1/models.`;
    throw new Unsupported('messages', message, seesImages);
  }
}

/** As the formats of clients name them. */
const IMAGES = new Set<unknown>(['image_url', 'input_image', 'image']);

/** Encodings of which it is known where no token reaches across. */
const SEAMED: ReadonlySet<Encoding> = new Set<Encoding>(['o200k_base', 'o200k_harmony']);

/** Text of plain words has more bytes than this to a token, so that a prompt with fewer is hardly too long. */
const LIKELY_BYTES_PER_TOKEN = 3;

function mayBeTooLong({ inputTokensBound, body }: CallRequest, { facts }: Target): boolean {
  if (facts.contextWindow === null || inputTokensBound <= facts.contextWindow * LIKELY_BYTES_PER_TOKEN) return false;
  // The provider is asked to cut it itself.
  return body['truncation'] !== 'auto';
}

const PIECE = 2_000;
/** Longer ones are the provider's to refuse. */
const MAX_PIECES = 500;

/** Counts what is certainly in the prompt, and stops as soon as it is too long. @throws WeirError context_length_exceeded */
async function refuseTooLong(tenantId: string, prompt: CallRequest, { model, facts }: Target, encoding: Encoding): Promise<void> {
  const window = facts.contextWindow!;
  if ((await countTokens(tenantId, piecesOf(prompt), encoding, window)) <= window) return;
  const message = `This request has more than the ${window} tokens that fit into the context window of "${model}". Shorten it, or use a model with a larger one.`;
  const isLarger: IsAble = (candidate) => (candidate.facts.contextWindow ?? 0) > window;
  throw new Unsupported('messages', message, isLarger, 'context_length_exceeded');
}

function* piecesOf(prompt: CallRequest): Generator<string> {
  let pieces = 0;
  for (const { text } of partsOf(prompt)) {
    if (typeof text !== 'string') continue;
    for (const piece of wholeTokens(text)) {
      yield piece;
      if (++pieces === MAX_PIECES) return;
    }
  }
}

/**
 * Pieces of a text that have no more tokens by themselves than in it: each begins before a space that stands between two letters, where no
 * token of this tokenizer reaches across. What lies between two such places that are far apart is left out.
 */
export function* wholeTokens(text: string): Iterable<string> {
  let at = 0;
  while (at < text.length) {
    if (text.length - at <= PIECE) return yield text.slice(at);
    let end = at + PIECE;
    while (end > at && !isSeam(text, end)) end--;
    if (end > at) yield text.slice(at, end);
    else for (end = at + PIECE; end < text.length && !isSeam(text, end); ) end++;
    at = end;
  }
}

const isSeam = (text: string, at: number): boolean =>
  text[at] === ' ' && isLetter(text.charCodeAt(at - 1)) && isLetter(text.charCodeAt(at + 1));
const isLetter = (code: number): boolean => code >= 97 && code <= 122;

type Part = Record<string, unknown>;

/** Texts, images and all else that a request's messages hold, in whichever format of a client's. */
function* partsOf({ body }: CallRequest): Iterable<Part> {
  yield* partsIn(body['system'] ?? body['instructions']);
  const messages = body['messages'] ?? body['input'] ?? body['prompt'];
  if (typeof messages === 'string') yield { type: 'text', text: messages };
  if (!Array.isArray(messages)) return;
  for (const message of messages) if (isPart(message)) yield* partsIn(message['content'] ?? message['output']);
}

/** Of a message's content. The result of a tool has content of its own. */
function* partsIn(content: unknown): Iterable<Part> {
  if (typeof content === 'string') yield { type: 'text', text: content };
  if (!Array.isArray(content)) return;
  for (const part of content) {
    if (!isPart(part)) continue;
    yield part;
    if (part['type'] !== 'tool_result') continue;
    const inner = part['content'];
    if (typeof inner === 'string') yield { type: 'text', text: inner };
    else if (Array.isArray(inner)) yield* inner.filter(isPart);
  }
}

const isPart = (value: unknown): value is Part => typeof value === 'object' && value !== null;
