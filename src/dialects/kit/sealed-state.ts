import type { ReasoningOrigin } from '../canonical.js';
import { isObject, parsed, textOf } from './json.js';

/**
 * State that a model wants back, sealed into the one place where a client of another vendor's format carries such. `call`: it belongs to the
 * tool call that follows, not to the reasoning.
 */
export interface SealedState {
  origin: ReasoningOrigin;
  signature: string | null;
  redacted: string | null;
  id: string | null;
  call: boolean;
}

/** No vendor's own state has a dot: it is base64. */
const PREFIX = 'weir.';

export const sealState = (state: SealedState): string => PREFIX + Buffer.from(JSON.stringify(state)).toString('base64url');

export const isSealed = (signature: string): boolean => signature.startsWith(PREFIX);

/** Null: it is no state of ours, or damaged. */
export function openState(signature: string): SealedState | null {
  if (!isSealed(signature)) return null;
  const state = parsed(Buffer.from(signature.slice(PREFIX.length), 'base64url').toString());
  if (!isObject(state)) return null;
  const { origin } = state;
  if (origin !== 'gemini' && origin !== 'openai' && origin !== 'anthropic' && origin !== 'cohere') return null;
  return {
    origin,
    signature: textOf(state['signature']),
    redacted: textOf(state['redacted']),
    id: textOf(state['id']),
    call: state['call'] === true,
  };
}
