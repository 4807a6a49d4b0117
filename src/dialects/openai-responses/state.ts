import type { ReasoningOrigin } from '../canonical.js';
import { objectOf, parsed, textOf } from '../kit/json.js';

/** What a model wants back unchanged with a piece of its reasoning. */
export interface ReasoningState {
  origin: ReasoningOrigin;
  signature: string | null;
  redacted: string | null;
  /** It belongs to the tool call that follows, as Gemini's signatures do. */
  ofCall: boolean;
}

/** Clients of this format hand back one text per reasoning item. What is not OpenAI's own is put into it behind this. */
const FOREIGN = 'weir1.';

/** The `encrypted_content` that carries a state. */
export function sealState({ origin, signature, redacted, ofCall }: ReasoningState): string | null {
  if (origin === 'openai') return signature;
  const fields = { origin, ...(signature !== null && { signature }), ...(redacted !== null && { redacted }), ...(ofCall && { ofCall }) };
  return FOREIGN + Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** Whether an `encrypted_content` holds what another vendor's model wants back. */
export const isForeign = (encrypted: unknown): encrypted is string => typeof encrypted === 'string' && encrypted.startsWith(FOREIGN);

/** Reads what `sealState` wrote; null when it was changed on its way. */
export function openState(encrypted: string): ReasoningState | null {
  if (!isForeign(encrypted)) return { origin: 'openai', signature: encrypted, redacted: null, ofCall: false };
  const state = objectOf(parsed(Buffer.from(encrypted.slice(FOREIGN.length), 'base64url').toString()));
  const { origin, ofCall } = state;
  if (origin !== 'anthropic' && origin !== 'gemini') return null;
  return { origin, signature: textOf(state['signature']), redacted: textOf(state['redacted']), ofCall: ofCall === true };
}
