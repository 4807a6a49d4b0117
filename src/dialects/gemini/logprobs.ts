import { listOf, objectOf } from '../kit/json.js';

/** `logprobsResult` in OpenAI chat's form; empty when there is none. */
export function chatLogprobs(result: unknown): unknown[] {
  const { chosenCandidates, topCandidates } = objectOf(result);
  const top = listOf(topCandidates);
  return listOf(chosenCandidates).map((chosen, at) => ({
    ...logprob(chosen),
    top_logprobs: listOf(objectOf(top[at])['candidates']).map(logprob),
  }));
}

function logprob(candidate: unknown): { token: string; logprob: unknown; bytes: number[] } {
  const { token, logProbability } = objectOf(candidate);
  const text = typeof token === 'string' ? token : '';
  return { token: text, logprob: logProbability ?? 0, bytes: [...Buffer.from(text)] };
}
