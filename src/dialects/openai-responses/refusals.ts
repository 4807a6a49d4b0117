import { ProviderRefusal } from '../dialect.js';
import { type JsonObject, textOf } from '../kit/json.js';
import { errorIn, inBandRefusal, refusalOf } from '../openai-chat/errors.js';

/** Codes of this format that blame the request. */
const REQUEST_FAULT = /^invalid_|_image|image_|policy/;

/** The failure in a `response.failed`, an `error` event or a body with an error, which all come with status 200. */
export function failureOf(holder: JsonObject): ProviderRefusal {
  const error = errorIn(holder) ?? holder;
  return new ProviderRefusal(REQUEST_FAULT.test(textOf(error['code']) ?? '') ? refusalOf(400, error) : inBandRefusal(error));
}
