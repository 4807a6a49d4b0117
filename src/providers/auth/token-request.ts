import { WeirError } from '../../kernel/errors.js';
import { EgressError, fetchBuffered, type Transport, type WholeAnswer } from '../../platform/egress/index.js';

export const FORM = 'application/x-www-form-urlencoded';
const BOUNDS = { maxBytes: 64 * 1024, totalMs: 10_000 };

/** What is asked of whoever gives tokens out. */
export interface TokenRequest {
  /** Absent: POST. */
  method?: 'GET' | 'PUT';
  url: string;
  /** Names and values in turn. */
  headers: readonly string[];
  body?: string;
}

/**
 * Asks through the one way out, and answers the body of the 200.
 * @param refusal what a client is told where the answer is no.
 * @throws WeirError provider_auth_failed, provider_token_unavailable, destination_refused
 */
export async function ask(transport: Transport, { url, headers, body = '', ...rest }: TokenRequest, refusal: string): Promise<string> {
  const { origin, pathname, search, host } = new URL(url);
  const request = { ...rest, origin, path: pathname + search, headers: ['user-agent', 'weir', ...headers], body };
  const answer = await fetchBuffered(transport, request, BOUNDS).catch((error: unknown): never => {
    throw errorOf(error);
  });
  if (answer.status === 200) return answer.body.toString();
  throw refusalOf(host, answer, refusal);
}

/**
 * Posts a form to an authorization server.
 * @param headers further ones, names and values in turn.
 * @throws as {@link ask}
 */
export const requestToken = (transport: Transport, url: string, headers: readonly string[], form: string): Promise<string> =>
  ask(
    transport,
    { url, headers: ['content-type', FORM, ...headers], body: form },
    `The authorization server ${new URL(url).host} refused the credential configured for this provider.`,
  );

/** The server answered, but with something else than a token. */
export const unreadableToken = (): WeirError => unavailable('the answer has no token');

export const unavailable = (cause: unknown): WeirError => new WeirError('provider_token_unavailable', { cause });

function errorOf(error: unknown): WeirError {
  if (error instanceof EgressError && error.failure === 'refused') return new WeirError('destination_refused', { cause: error.cause });
  return unavailable(error instanceof EgressError ? error.cause : error);
}

/** Of what the server says only its error's name is kept: its sentence may repeat what it was shown. */
function refusalOf(host: string, { status, body }: WholeAnswer, message: string): WeirError {
  const name = /"error"\s*:\s*"([\w.-]{1,64})"|<Code>([\w.]{1,64})<\/Code>/.exec(body.toString());
  const cause = `${host} answered ${status} ${name?.[1] ?? name?.[2] ?? ''}`.trim();
  // Azure's metadata service answers 410 while it is being updated.
  if (status < 400 || status >= 500 || [408, 410, 429].includes(status)) return unavailable(cause);
  return new WeirError('provider_auth_failed', { message, cause });
}
