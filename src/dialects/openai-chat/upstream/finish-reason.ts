import type { FinishReason } from '../../canonical.js';
import { table } from '../../kit/table.js';

const REASONS = table<FinishReason>({
  stop: 'stop',
  length: 'length',
  max_tokens: 'length',
  // Mistral, for the context window.
  model_length: 'length',
  tool_calls: 'tool_calls',
  tool_use: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  content_filtered: 'content_filter',
  safety: 'content_filter',
  recitation: 'content_filter',
  refusal: 'content_filter',
  // Zhipu's words.
  sensitive: 'content_filter',
  network_error: 'error',
  error: 'error',
  // DeepSeek, when it ran out of machines.
  insufficient_system_resource: 'error',
});

/** What a provider's word for the end means. Of words nobody knows (`eos`, `end_turn`, …) all that are seen mean an ordinary end. */
export function finishReason(native: string | null): FinishReason {
  const word = native?.toLowerCase() ?? '';
  // Gemini's compatible endpoint: `function_call_filter: MALFORMED_FUNCTION_CALL`.
  if (/malformed_function_call|unexpected_tool_call/.test(word)) return 'error';
  return REASONS[word] ?? 'stop';
}
