import { WeirError } from '../kernel/errors.js';
import { type CallOptions, NO_OPTIONS, withHeader, withPreference } from './call-options.js';

const MATTERS =
  /^(?:authorization|host|content-|x-|api-key|anthropic-(?:beta|version)$|idempotency-key$|prefer$|via$|cf-aig-(?:skip-cache|cache-ttl|cache-key|collect-log|event-id|metadata)$)/i;

/** Headers that may stand once only; Node would silently take the first. */
const SINGLE = new Set(['authorization', 'host', 'content-type', 'content-length']);

/**
 * Reads the API key (null: none was sent) and the call's options, and checks the head of a request, in one pass over its raw headers.
 * @throws WeirError key_conflict, invalid_request, unsupported_media_type
 */
export function readHead(rawHeaders: readonly string[]): { key: string | null; options: CallOptions } {
  let key: string | null = null;
  let seen = 0;
  let options = NO_OPTIONS;
  const singles: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!MATTERS.test(rawHeaders[i]!)) continue;
    const name = rawHeaders[i]!.toLowerCase();
    const value = rawHeaders[i + 1]!;
    const isOption =
      name.startsWith('x-weir-') || name.startsWith('anthropic-') || name.startsWith('cf-aig-') || name === 'idempotency-key';
    if (isOption || SINGLE.has(name)) {
      if (singles.includes(name))
        throw new WeirError('invalid_request', { message: `The header "${name}" was sent more than once. Send it once.` });
      singles.push(name);
    }
    const presented = presentedKey(name, value);
    if (presented !== null) {
      if (seen++ > 0 && presented !== key) throw new WeirError('key_conflict');
      key = presented;
    } else if (name === 'via') {
      options = { ...options, via: options.via === null ? value : `${options.via}, ${value}` };
    } else if (name === 'prefer') {
      options = withPreference(options, value);
    } else if (isOption) {
      options = withHeader(options, name, value);
    } else if (name === 'content-encoding' && value.toLowerCase() !== 'identity') {
      throw new WeirError('unsupported_media_type');
    }
  }
  return { key, options };
}

function presentedKey(name: string, value: string): string | null {
  switch (name) {
    case 'authorization':
      return /^bearer /i.test(value) ? value.slice(7).trim() : value;
    case 'x-api-key':
    case 'api-key':
    case 'x-goog-api-key':
      return value;
    default:
      return null;
  }
}
