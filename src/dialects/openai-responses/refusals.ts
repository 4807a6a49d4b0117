import { ProviderRefusal } from '../dialect.js';
import { isObject, type JsonObject, textOf } from '../kit/json.js';
import { refusalOf } from '../openai-chat/errors.js';

export { decodeRefusal } from '../openai-chat/errors.js';

/** The failure in a `response.failed`, an `error` event or a body with an error, which all come with status 200. */
export function failureOf(holder: JsonObject): ProviderRefusal {
  const error = isObject(holder['error']) ? holder['error'] : holder;
  return new ProviderRefusal(refusalOf(statusOf(error), error));
}

/** The status that such a failure would have had before the stream began. */
function statusOf(error: JsonObject): number {
  const status = Number(error['status_code'] ?? error['status'] ?? error['code']);
  if (status >= 400 && status < 600) return status;
  const words = `${textOf(error['code'])} ${textOf(error['type'])}`;
  if (/rate_limit|insufficient_quota/.test(words)) return 429;
  if (/invalid|image|policy|context_length|content_filter/.test(words)) return 400;
  return 500;
}
