import { type CallRequest, type IsAble, seesImages, Unsupported } from '../dialects/index.js';
import { type Encoding, rulesOf } from '../model-rules/index.js';
import { IMAGES, partsOf, type Target } from '../routing/index.js';
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
  for (const part of partsOf(prompt.body)) {
    if (!IMAGES.has(part['type'])) continue;
    const message = `"${model}" takes no images. Leave them out, or use a model with vision: see "capabilities" in GET /v1/models.`;
    throw new Unsupported('messages', message, seesImages);
  }
}

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
  for (const { text } of partsOf(prompt.body)) {
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
