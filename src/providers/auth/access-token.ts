import type { Transport } from '../../platform/egress/index.js';
import type { Auth, ShownHeaders } from './auth.js';
import { type Fresh, freshMs, TokenCache } from './token-cache.js';
import { requestToken, unreadableToken } from './token-request.js';

const DEFAULT_SECONDS = 300;
const MAX_SECONDS = 86_400;

/** By what form a token is asked for. */
export interface TokenGrant {
  url: string;
  /** Made anew for each request: an assertion has a time in it. */
  form: () => Record<string, string>;
}

/**
 * An OAuth access token as a bearer: fetched before the first call, kept until shortly before it expires, fetched anew when it is refused.
 * @param further headers that go with it.
 */
export function accessToken({ url, form }: TokenGrant, transport: Transport, further: readonly string[] = []): Auth {
  const cache = new TokenCache<ShownHeaders>(async () => {
    const { value, freshMs } = tokenIn(await requestToken(transport, url, ['accept', 'application/json'], formText(form())));
    return { value: ['authorization', `Bearer ${value}`, ...further], freshMs };
  });
  return {
    headersFor: () => cache.get(),
    renew(refused) {
      cache.drop(refused);
      return true;
    },
  };
}

const formText = (form: Record<string, string>): string => new URLSearchParams(form).toString();

/** @throws WeirError provider_token_unavailable */
function tokenIn(text: string): Fresh<string> {
  let answer: { access_token?: unknown; expires_in?: unknown } | null;
  try {
    answer = JSON.parse(text);
  } catch {
    throw unreadableToken();
  }
  const token = answer?.access_token;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw unreadableToken();
  const seconds = Number(answer?.expires_in ?? DEFAULT_SECONDS);
  return { value: token, freshMs: freshMs(seconds > 0 ? Math.min(seconds, MAX_SECONDS) : DEFAULT_SECONDS) };
}
