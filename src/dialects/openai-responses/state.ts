import { isSealed, openState, type SealedState, sealState } from '../kit/sealed-state.js';

/** The `encrypted_content` that carries a state. OpenAI's own is what it is. */
export const encryptedContent = (state: SealedState): string | null => (state.origin === 'openai' ? state.signature : sealState(state));

/** The state in an `encrypted_content`; null when it was changed on its way. */
export const stateIn = (encrypted: string): SealedState | null =>
  isSealed(encrypted) ? openState(encrypted) : { origin: 'openai', signature: encrypted, redacted: null, id: null, call: false };
