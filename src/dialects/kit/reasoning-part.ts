import type { ReasoningPart, ReplyEvent } from '../canonical.js';

export const emptyReasoning = (): ReasoningPart => ({
  type: 'reasoning',
  text: '',
  origin: null,
  signature: null,
  redacted: null,
  id: null,
});

/** What an event says of the state of a block, added to what earlier ones said. */
export function addState(block: ReasoningPart, event: Extract<ReplyEvent, { type: 'reasoning_state' }>): void {
  block.origin = event.origin;
  block.signature = event.signature ?? block.signature;
  block.redacted = event.redacted ?? block.redacted;
  block.id = event.id ?? block.id;
}
