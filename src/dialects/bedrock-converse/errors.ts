import type { Refusal, RefusalClass, ReplyHeaders } from '../dialect.js';
import { type JsonObject, objectOf, parsed, textOf } from '../kit/json.js';
import { classOfStatus, refusalMessage } from '../kit/refusals.js';
import { table } from '../kit/table.js';

/** By AWS's name of the error, without its ending and in lower case: header, exception frame and body spell it differently. */
const CLASSES = table<RefusalClass>({
  accessdenied: 'auth',
  unrecognizedclient: 'auth',
  invalidsignature: 'auth',
  incompletesignature: 'auth',
  missingauthenticationtoken: 'auth',
  expiredtoken: 'auth',
  notauthorized: 'auth',
  throttling: 'rate_limit',
  toomanyrequests: 'rate_limit',
  modelnotready: 'rate_limit',
  servicequotaexceeded: 'rate_limit',
  resourcenotfound: 'model_not_found',
  modeltimeout: 'timeout',
  modelerror: 'server',
  modelstreamerror: 'server',
  serviceunavailable: 'server',
  internalserver: 'server',
  internalfailure: 'server',
});

/** Reads an error reply: the message is in the body, the class in a header; total, whatever they are. */
export function decodeRefusal(status: number, body: Buffer, headers: ReplyHeaders): Refusal {
  const error = objectOf(parsed(body.toString()));
  const header = headers['x-amzn-errortype'];
  return refusalOf((Array.isArray(header) ? header[0] : header) ?? textOf(error['__type']), status, error);
}

/**
 * @param type e.g. `ThrottlingException`, perhaps with `:http://…` behind or `com.amazon…#` before it.
 * @param status null: the failure came within a stream.
 */
export function refusalOf(type: string | null, status: number | null, error: JsonObject): Refusal {
  const message = refusalMessage(error['message'] ?? error['Message']);
  return { class: classOf(nameOf(type ?? ''), status, message ?? ''), message };
}

const nameOf = (type: string): string =>
  type
    .split(':')[0]!
    .replace(/^.*#/, '')
    .replace(/(?:Exception|Error)$/, '')
    .toLowerCase();

function classOf(name: string, status: number | null, message: string): RefusalClass {
  const told = CLASSES[name];
  if (told) return told;
  const byStatus = name === 'validation' ? 'bad_request' : classOfStatus(status === 424 ? 500 : (status ?? 500));
  if (byStatus !== 'bad_request') return byStatus;
  if (TOO_LONG.test(message)) return 'context_length';
  return NO_SUCH_MODEL.test(message) ? 'model_not_found' : 'bad_request';
}

const TOO_LONG = /too long|too many (?:input )?tokens|context (?:length|window)|maximum (?:number of )?(?:input )?tokens/i;
const NO_SUCH_MODEL = /model identifier is invalid|model .*(?:not found|does not exist)/i;
