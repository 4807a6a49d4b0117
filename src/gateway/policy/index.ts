import type { CallRequest } from '../../dialects/index.js';
import type { Target } from '../../routing/index.js';
import { refuseOtherBounds } from './other-bounds.js';
import { refuseProviderState, sharedPrompt } from './provider-state.js';
import { refuseSteering } from './steering.js';

/**
 * The request as its provider may see it, whichever format it came in and goes out by.
 * @throws WeirError invalid_request naming a field that says where calls go, or bounds the answer by another name, or that refers to what a shared account keeps.
 */
export function permitted(
  prompt: CallRequest,
  endpoint: string,
  tenantId: string,
  target: Pick<Target, 'type' | 'lent' | 'model'>,
): CallRequest {
  refuseSteering(prompt, target);
  refuseOtherBounds(prompt, endpoint);
  if (!target.lent) return prompt;
  refuseProviderState(prompt, target);
  return sharedPrompt(prompt, tenantId);
}
