import { rulesOf } from '../../../model-rules/index.js';
import type { AssistantTurn, ReasoningOrigin, ReasoningPart } from '../../canonical.js';
import { rulesId, type UpstreamParams } from '../../dialect.js';
import type { JsonObject } from '../../kit/json.js';
import { encodeDetails } from '../reasoning-details.js';

/** The fields by which an assistant's reasoning goes back to its provider; none where it must not. */
export function reasoningFields(parts: AssistantTurn['parts'], rewrite: UpstreamParams): JsonObject {
  const { quirks } = rewrite;
  const origin = stateOrigin(rewrite);
  const own = parts.filter((part): part is ReasoningPart => part.type === 'reasoning' && (part.origin === null || part.origin === origin));
  if (quirks.thinking === 'openrouter' && quirks.reasoningBack !== 'never') return openrouter(parts, own, origin);
  const google = origin === 'gemini' ? own.find(({ signature }) => signature !== null) : undefined;
  const state = google ? { extra_content: { google: { thought_signature: google.signature } } } : {};
  if (quirks.reasoningBack !== 'always' && quirks.reasoningBack !== 'as-is') return state;
  const text = textOf(own);
  const field = quirks.thinking === 'groq' ? 'reasoning' : 'reasoning_content';
  return { ...(text !== '' && { [field]: text }), ...state };
}

/** It keeps the state of every vendor's reasoning for whom it routes to. */
function openrouter(parts: AssistantTurn['parts'], own: ReasoningPart[], origin: ReasoningOrigin | null): JsonObject {
  const details = own.flatMap(encodeDetails);
  for (const part of origin === 'gemini' ? parts : [])
    if (part.type === 'tool_call' && part.signature !== undefined)
      details.push({ type: 'reasoning.encrypted', data: part.signature, id: part.id, format: 'google-gemini-v1', index: details.length });
  const text = textOf(own);
  return { ...(text !== '' && { reasoning: text }), ...(details.length > 0 && { reasoning_details: details }) };
}

const textOf = (parts: readonly ReasoningPart[]): string => parts.map(({ text }) => text).join('');

/** Whose state the model can read, by its name; null: nobody's that we know. */
export function stateOrigin(rewrite: UpstreamParams): ReasoningOrigin | null {
  return rulesOf(rulesId(rewrite)).vendor;
}
