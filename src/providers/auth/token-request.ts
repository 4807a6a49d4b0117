import { WeirError } from '../../kernel/errors.js';
import { EgressError, fetchWhole, type Transport, type WholeAnswer } from '../../platform/egress/index.js';

export const FORM = 'application/x-www-form-urlencoded';
const BOUNDS = { maxBytes: 64 * 1024, totalMs: 10_000 };

/**
 * Posts a form to an authorisation server, through the one way out. Answers the body of its 200.
 * @param headers further ones, names and values in turn.
 * @throws WeirError provider_auth_failed, provider_token_unavailable, destination_refused
 */
export async function requestToken(transport: Transport, url: string, headers: readonly string[], form: string): Promise<string> {
  const { origin, pathname, search, host } = new URL(url);
  const request = { origin, path: pathname + search, headers: ['content-type', FORM, 'user-agent', 'weir', ...headers], body: form };
  const { status, body } = await fetchWhole(transport, request, BOUNDS).catch((error: unknown): never => {
    throw errorOf(error);
  });
  if (status === 200) return body.toString();
  throw refusalOf(host, { status, body });
}

/** The server answered, but with something else than a token. */
export const unreadableToken = (): WeirError => unavailable('the answer has no token');

const unavailable = (cause: unknown): WeirError => new WeirError('provider_token_unavailable', { cause });

function errorOf(error: unknown): WeirError {
  if (error instanceof EgressError && error.failure === 'refused') return new WeirError('destination_refused', { cause: error.cause });
  return unavailable(error instanceof EgressError ? error.cause : error);
}

/** Of what the server says only its error's name is kept: its sentence may repeat what it was shown. */
function refusalOf(host: string, { status, body }: Pick<WholeAnswer, 'status' | 'body'>): WeirError {
  const name = /"error"\s*:\s*"([\w.-]{1,64})"|<Code>([\w.]{1,64})<\/Code>/.exec(body.toString());
  const cause = `${host} answered ${status} ${name?.[1] ?? name?.[2] ?? ''}`.trim();
  if (status < 400 || status >= 500 || status === 408 || status === 429) return unavailable(cause);
  return new WeirError('provider_auth_failed', {
    message: `The authorisation server ${host} refused the credential configured for this provider.`,
    cause,
  });
}
