import type { CallRequest } from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import { isHeld, pathOf, type Visit } from './walk.js';

/**
 * Names, without case, `_` and `-`, that servers have for the output limit, and for how many answers are made: llama.cpp, vLLM, TGI, Ollama,
 * Gemini, Cohere, Llama API. Some obey them before the names of the format, as llama.cpp does `n_predict`.
 */
const LIMITS = new Set([
  ...['maxtokens', 'maxcompletiontokens', 'maxoutputtokens', 'maxnewtokens', 'maxtokenstosample', 'maxgenlen'],
  ...['npredict', 'numpredict'],
]);
const COUNTS = new Set(['n', 'bestof', 'candidatecount', 'numreturnsequences', 'numgenerations', 'numcompletions']);

/** What formats call the limit. Chat knows both names, and only one is sent. */
const OF_MESSAGES = ['max_tokens', 'max_completion_tokens'];
const OF_RESPONSES = ['max_output_tokens'];

/**
 * What is held for an answer goes by the limit and the number of answers that its format names. The limit may be lowered, by a key, a model or
 * to fit a budget, and is written under that name only: it has no other. Another name of the number must not say more.
 * The visit throws WeirError invalid_request naming the field.
 * @param endpoint the call's.
 */
export function refusingOtherBounds({ choices }: Pick<CallRequest, 'choices'>, endpoint: string): Visit {
  const own = endpoint === 'responses' ? OF_RESPONSES : OF_MESSAGES;
  return (name, value, place) => {
    const isLimit = LIMITS.has(name);
    if (!isLimit && !COUNTS.has(name)) return;
    if (place.parent === null ? own.includes(String(place.key)) : !isHeld(place)) return;
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number !== 'number' || Number.isNaN(number)) return;
    // To some, a number below zero is as much as there is.
    if (!isLimit && number >= 0 && number <= choices) return;
    throw new WeirError('invalid_request', { param: pathOf(place), message: sentence(pathOf(place), isLimit, own) });
  };
}

function sentence(param: string, isLimit: boolean, [own]: readonly string[]): string {
  if (!isLimit) return `"${param}" asks for more answers than are counted for this request. Leave it out, and ask for them by "n".`;
  return `"${param}" is another name of the output limit. Leave it out, and set "${own}".`;
}
