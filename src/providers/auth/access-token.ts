import type { Transport } from '../../platform/egress/index.js';
import type { Auth, ShownHeaders } from './auth.js';
import { type Fresh, freshMs, freshMsUntil, TokenCache } from './token-cache.js';
import { requestToken, unreadableToken } from './token-request.js';

/**
 * An OAuth access token as a bearer: fetched before the first call, kept until shortly before it expires, fetched anew when it is refused.
 * @param askFor one; an assertion has a time in it, and a file is replaced, so what it asks by is made anew.
 * @param further headers that go with it.
 */
export function accessToken(askFor: () => Promise<Fresh<string>>, further: readonly string[] = []): Auth {
  const cache = new TokenCache<ShownHeaders>(async () => {
    const { value, freshMs } = await askFor();
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

/** Asks an authorization server for a token by a form. @throws as {@link requestToken} */
export const tokenByForm = async (transport: Transport, url: string, form: Record<string, string>): Promise<Fresh<string>> =>
  tokenIn(await requestToken(transport, url, ['accept', 'application/json'], new URLSearchParams(form).toString()));

/** What an authorization server answers. `expires_on`, in unix seconds, is Azure's. @throws WeirError provider_token_unavailable */
export function tokenIn(text: string): Fresh<string> {
  const { access_token, expires_in, expires_on } = fieldsIn(text);
  const life = expires_in === undefined ? freshMsUntil(Number(expires_on) * 1_000) : freshMs(Number(expires_in));
  return { value: visibleToken(access_token), freshMs: life };
}

/** @throws WeirError provider_token_unavailable unless it may stand in a header. */
export function visibleToken(token: unknown): string {
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw unreadableToken();
  return token;
}

/** @throws WeirError provider_token_unavailable unless the text is a JSON object. */
export function fieldsIn(text: string): Record<string, unknown> {
  try {
    return { ...JSON.parse(text) };
  } catch {
    throw unreadableToken();
  }
}
