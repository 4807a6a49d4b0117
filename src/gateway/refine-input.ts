import { type CallRequest, mediaIn } from '../dialects/index.js';
import { type Encoding, rulesOf } from '../model-rules/index.js';
import type { Target } from '../routing/index.js';
import { boundOf, type InputSize } from './input-size.js';
import { countTokens } from './tokenizers.js';

/** Longer texts keep their bound by bytes: counting them takes a second of work. */
const MAX_CHARACTERS = 200_000;
/** Counted piece by piece, because a tokenizer may take quadratic time over a long run of one character. */
const PIECE = 2_000;
/** Tokens that were one across a cut, or make fewer when cut. */
const SEAM = 4;
/** What stands around a field or a value in the words a provider writes it in: marks of roles, names of types, punctuation. */
const AROUND = 4;
/** What stands before a conversation: of models in the harmony format, words on channels and dates. */
const BEFORE: Readonly<Record<Encoding, number>> = { o200k_harmony: 128, o200k_base: 16, cl100k_base: 16 };

/**
 * A tighter bound on a prompt's input tokens than its bytes, for a call that would otherwise be refused: its texts counted by the model's own
 * tokenizer. Where that is not at hand the bytes stay: the tokens of another one say nothing.
 */
export async function refinedInput(
  tenantId: string,
  prompt: CallRequest,
  size: InputSize,
  { model, modelRulesOf }: Pick<Target, 'model' | 'modelRulesOf'>,
): Promise<number> {
  const encoding = rulesOf(modelRulesOf ?? model).encoding;
  const counted = encoding && (await countedTokens(tenantId, prompt, encoding, AROUND));
  return encoding === null || counted === null ? boundOf(size) : Math.min(size.textBytes, counted + BEFORE[encoding]) + size.mediaTokens;
}

/**
 * Tokens of all names and values of a request, but for pictures and the like.
 * @param around added for each. @returns null: they are too many to count.
 */
export async function countedTokens(tenantId: string, { body }: CallRequest, encoding: Encoding, around: number): Promise<number | null> {
  const media = new Map<string, number>();
  for (const { data } of mediaIn(body)) if (data !== null) media.set(data, (media.get(data) ?? 0) + 1);
  let added = 0;
  let characters = 0;
  function* pieces(): Generator<string> {
    for (const text of textsIn(body)) {
      const said = media.size > 0 ? withoutMedia(text, media) : text;
      characters += said.length + 1;
      if (characters > MAX_CHARACTERS) return;
      added += around;
      for (let at = 0; at < said.length; at += PIECE) {
        if (at > 0) added += SEAM;
        yield said.slice(at, at + PIECE);
      }
    }
  }
  const counted = await countTokens(tenantId, pieces(), encoding);
  return characters > MAX_CHARACTERS ? null : counted + added;
}

/** Each medium is left out once: the same characters elsewhere are text. */
function withoutMedia(text: string, media: Map<string, number>): string {
  const comma = text.startsWith('data:') ? text.indexOf(',') : -1;
  const data = text.slice(comma + 1);
  const left = media.get(data);
  if (!left) return text;
  media.set(data, left - 1);
  return text.slice(0, comma + 1);
}

/** Every name and every value, as text. */
function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value !== 'object') yield String(value);
  else if (Array.isArray(value)) for (const entry of value) yield* textsIn(entry);
  else if (value === null) yield 'null';
  else
    for (const [name, inner] of Object.entries(value)) {
      yield name;
      yield* textsIn(inner);
    }
}
