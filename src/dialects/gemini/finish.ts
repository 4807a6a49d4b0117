import type { FinishReason } from '../canonical.js';

const BLOCKED = [
  'SAFETY',
  'RECITATION',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'IMAGE_SAFETY',
  'IMAGE_PROHIBITED_CONTENT',
  'IMAGE_RECITATION',
  'IMAGE_OTHER',
  'LANGUAGE',
  'MODEL_ARMOR',
];
/** The model made a call that is none. */
const FAILED = [
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MISSING_THOUGHT_SIGNATURE',
  'MALFORMED_RESPONSE',
  'NO_IMAGE',
];

/** What a `finishReason` means. STOP ends an answer with calls as well; words that are not known are taken for it. */
export function finishReason(native: string): FinishReason {
  if (native === 'MAX_TOKENS') return 'length';
  if (BLOCKED.includes(native)) return 'content_filter';
  return FAILED.includes(native) ? 'error' : 'stop';
}
