import { WeirError } from '../../kernel/errors.js';
import { isHeld, pathOf, type Visit } from './walk.js';

/**
 * Fields by which servers such as vLLM and SGLang let a request say how its prompt is written, or how many tokens its media make: names without
 * case, `_` and `-`. A template can repeat what it is given, so no bound by the length of the request holds. Facts as of 2026-11.
 */
const ENLARGING = new Set(['chattemplate', 'chattemplatekwargs', 'documents', 'mmprocessorkwargs', 'mediaiokwargs']);

/**
 * What a call on an account of the platform may cost is bounded by the length of its prompt, so the prompt is written as the server does it.
 * Switches, as `enable_thinking`, are the template's own. The visit throws WeirError invalid_request naming the field.
 */
export const refusingTemplates: Visit = (name, value, place) => {
  if (value === null || value === undefined || !ENLARGING.has(name)) return;
  if (place.parent !== null && !isHeld(place)) return;
  if (name === 'chattemplatekwargs' && isSwitches(value)) return;
  const param = pathOf(place);
  throw new WeirError('invalid_request', {
    param,
    message: `"${param}" changes how the prompt is written, and can make it longer than what is counted for this request. Leave it out, or use a provider with your own key.`,
  });
};

const isSwitches = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((one) => typeof one === 'boolean');
