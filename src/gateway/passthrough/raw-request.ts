import type { IncomingHttpHeaders } from 'node:http';
import { type EgressRule, METHODS, type Method } from '../../egress-rules/index.js';
import { WeirError } from '../../kernel/errors.js';

const PREFIX = '/v1/passthrough/';

/** What a client wants of a provider's own API. */
export interface RawRequest {
  method: Method;
  /** The name of the provider. */
  provider: string;
  /** As it was sent: nothing is decoded. */
  path: string;
  query: string;
}

/** @param url as it was sent. @throws WeirError not_found, passthrough_not_allowed */
export function readTarget(method: string, url: string): RawRequest {
  const mark = url.indexOf('?');
  const [whole, query] = mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
  // The router decodes what it compares. What was written otherwise is not this path.
  const [, provider, path] = whole.startsWith(PREFIX) ? (/^([a-z0-9._-]+)(\/.+)$/.exec(whole.slice(PREFIX.length)) ?? []) : [];
  if (provider === undefined || path === undefined)
    throw new WeirError('not_found', { message: `A request to a provider's own API goes to ${PREFIX}{provider}/ and the path there.` });
  if (!/^(?:\/[\w.~:@-]+)+$/.test(path) || /\/\.{1,2}(?:\/|$)/.test(path))
    throw new WeirError('passthrough_not_allowed', {
      message:
        'The path has an escape, an empty part, a part of dots, or a character that no egress rule can have. Send the path as the rule has it.',
    });
  return { method: METHODS.find((known) => known === method)!, provider, path, query };
}

const MAX_QUERY = 4_096;

/** The query as it is sent on: only what the rule names, written anew, so that it means the same to everybody. @throws WeirError */
export function permittedQuery(query: string, rule: EgressRule): string {
  if (query === '') return '';
  if (query.length > MAX_QUERY) throw new WeirError('invalid_request', { message: `The query is longer than ${MAX_QUERY} characters.` });
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (rule.query.includes(name)) continue;
    const named = rule.query.length === 0 ? 'none' : rule.query.join(', ');
    throw new WeirError('passthrough_not_allowed', {
      message: `The egress rule does not allow the query parameter ${JSON.stringify(name.slice(0, 64))}. It allows ${named}.`,
    });
  }
  return `?${parameters}`;
}

/** Headers that say what a request is. None shows who sends it, or how it came here. */
const FORWARDED: readonly string[] = ['accept', 'content-type', 'anthropic-beta', 'anthropic-version', 'openai-beta'];
/** Headers that say what an answer is. None sets a cookie, leads elsewhere, or is about the connection. */
const RETURNED: readonly string[] = ['content-type', 'content-disposition', 'content-language', 'etag', 'last-modified', 'retry-after'];

/** What goes to the provider of the headers of a request, names and values in turn. */
export const forwarded = (headers: IncomingHttpHeaders): string[] =>
  FORWARDED.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [name, value] : [];
  });

/** What comes back of the headers of an answer. */
export function returned(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const all = RETURNED.flatMap((name) => {
    const value = headers[name];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  // Whatever it is, it is data: it comes from the address of this gateway.
  return { ...Object.fromEntries(all), 'x-content-type-options': 'nosniff' };
}
