import type { ReasoningOrigin } from '../canonical.js';
import { isObject, parsed, textOf } from '../kit/json.js';

/**
 * State that another vendor's model wants back, in the one place a Messages client carries such: the signature of a thinking block. `call`:
 * it belongs to the tool call that follows, not to the thinking.
 */
export interface SealedState {
  origin: ReasoningOrigin;
  signature: string | null;
  redacted: string | null;
  id: string | null;
  call: boolean;
}

/** No signature of Anthropic's has a dot: they are base64. */
const PREFIX = 'weir.';

export const sealState = (state: SealedState): string => PREFIX + Buffer.from(JSON.stringify(state)).toString('base64url');

export const isSealed = (signature: string): boolean => signature.startsWith(PREFIX);

/** Null: it is no state of ours, or damaged. */
export function openState(signature: string): SealedState | null {
  if (!isSealed(signature)) return null;
  const state = parsed(Buffer.from(signature.slice(PREFIX.length), 'base64url').toString());
  if (!isObject(state)) return null;
  const { origin } = state;
  if (origin !== 'gemini' && origin !== 'openai' && origin !== 'anthropic') return null;
  return {
    origin,
    signature: textOf(state['signature']),
    redacted: textOf(state['redacted']),
    id: textOf(state['id']),
    call: state['call'] === true,
  };
}
