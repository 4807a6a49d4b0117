import type { CallRequest } from '../../dialects/index.js';
import type { Target } from '../../routing/index.js';
import { refusingOtherBounds } from './other-bounds.js';
import { refusingTemplates } from './prompt-templates.js';
import { refusingProviderState, sharedPrompt } from './provider-state.js';
import { refusingSteering } from './steering.js';
import { walk } from './walk.js';

/**
 * The request as its provider may see it, whichever format it came in and goes out by.
 * @throws WeirError invalid_request naming a field that says where calls go, or bounds the answer by another name, or that refers to what a
 * shared account keeps, or makes its prompt longer.
 */
export function permitted(
  prompt: CallRequest,
  endpoint: string,
  tenantId: string,
  target: Pick<Target, 'type' | 'lent' | 'model'>,
): CallRequest {
  const visits = [
    refusingSteering(target),
    refusingOtherBounds(prompt, endpoint),
    ...(target.lent ? [refusingProviderState(target), refusingTemplates] : []),
  ];
  walk(prompt.body, (name, value, place) => {
    for (const visit of visits) visit(name, value, place);
  });
  return target.lent ? { ...sharedPrompt(prompt, tenantId), hidesCost: true } : prompt;
}
