import type { Usage } from '../../../kernel/usage.js';
import type { Answer, AnswerPart, FinishReason, ReasoningPart } from '../../canonical.js';
import type { ReplyIdentity } from '../../dialect.js';
import { argumentsObject } from '../../kit/call-arguments.js';
import { type JsonObject, writeJson } from '../../kit/json.js';
import { sealState } from '../../kit/sealed-state.js';
import { finishOf } from '../reply.js';
import { encodeUsage } from '../usage.js';

/** A whole message. The format holds one answer, and no images in it. */
export function encodeAnswer(answer: Answer, usage: Usage, identity: ReplyIdentity): string {
  const [choice] = answer.choices;
  const { parts, finish, native, stopSequence } = choice ?? { parts: [], finish: 'stop', native: null, stopSequence: null };
  const refusal = parts.map((part) => (part.type === 'refusal' ? part.text : '')).join('');
  const end = encodeEnd({ reason: finish, native, stopSequence }, refusal);
  return writeJson({
    ...encodeHead(identity, answer.model),
    content: parts.flatMap((part) => encodePart(part, finish)),
    ...end,
    usage: encodeUsage(usage),
  });
}

export const encodeHead = (identity: ReplyIdentity, model: string | null): object => ({
  id: `msg_${identity.id}`,
  type: 'message',
  role: 'assistant',
  model: model ?? identity.model,
});

function encodePart(part: AnswerPart, finish: FinishReason): JsonObject[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'text', text: part.text }];
    case 'refusal':
      return isExplained(finish) ? [] : [{ type: 'text', text: part.text }];
    case 'reasoning':
      return encodeReasoning(part);
    case 'tool_call': {
      const { id, name, signature } = part;
      const call = { type: 'tool_use', id, name, input: argumentsObject(part.arguments).value };
      return signature === undefined ? [call] : [encodeCallState(signature), call];
    }
    case 'image':
      return [];
  }
}

function encodeReasoning(part: ReasoningPart): JsonObject[] {
  if (part.origin === 'anthropic' && part.redacted !== null) return [{ type: 'redacted_thinking', data: part.redacted }];
  const signature = signatureOf(part);
  return part.text === '' && signature === '' ? [] : [{ type: 'thinking', thinking: part.text, signature }];
}

/** What a thinking block carries so that its state comes back; empty: it has none. */
export function signatureOf({ origin, signature, redacted, id }: Omit<ReasoningPart, 'type' | 'text'>): string {
  if (origin === 'anthropic') return signature ?? '';
  if (origin === null || (signature === null && redacted === null && id === null)) return '';
  return sealState({ origin, signature, redacted, id, call: false });
}

/** State that Gemini ties to a call stands in a block of its own before it. */
export const encodeCallState = (signature: string): JsonObject => ({
  type: 'thinking',
  thinking: '',
  signature: sealState({ origin: 'gemini', signature, redacted: null, id: null, call: true }),
});

/** The provider explains why nothing came. Otherwise a refusal is what the model said, and is given as its text. */
export const isExplained = (finish: FinishReason): boolean => finish === 'content_filter';

interface End {
  reason: FinishReason;
  native: string | null;
  stopSequence?: string | null;
}

/** How a message ended. @param refusal the words it was refused with; empty: it was not. */
export function encodeEnd(end: End, refusal: string): { stop_reason: string; stop_sequence: string | null; stop_details?: object } {
  const stop_reason = refusal === '' ? stopReasonOf(end) : 'refusal';
  const explanation = isExplained(end.reason) && refusal !== '' ? refusal : null;
  return {
    stop_reason,
    stop_sequence: end.stopSequence ?? null,
    ...(stop_reason === 'refusal' && { stop_details: { type: 'refusal', category: null, explanation } }),
  };
}

const STOP_REASONS: Readonly<Record<FinishReason, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
  error: 'error',
};

/** Words of Anthropic's own that say more than ours. */
const FINER = new Set(['stop_sequence', 'pause_turn', 'compaction', 'model_context_window_exceeded']);

function stopReasonOf({ reason, native, stopSequence }: End): string {
  if (native !== null && FINER.has(native) && finishOf(native) === reason) return native;
  return reason === 'stop' && stopSequence ? 'stop_sequence' : STOP_REASONS[reason];
}
