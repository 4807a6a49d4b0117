import type { EgressRequest } from '../../platform/egress/index.js';

/** Names and values in turn. */
export type ShownHeaders = readonly string[];

/** How one credential is shown to its provider. It holds what it shows: never log it. */
export interface Auth {
  /**
   * What makes a request, final but for these headers, the credential's own. At once where nothing has to be fetched, else a promise.
   * @throws WeirError provider_auth_failed, provider_token_unavailable, destination_refused: then nothing may be sent. Promises reject with the same.
   */
  headersFor(request: EgressRequest): ShownHeaders | Promise<ShownHeaders>;
  /** The provider answered 401 to these. True: there will be others now, so the request may be made once more. Absent: there never are. */
  renew?(refused: ShownHeaders): boolean;
}

/** The same headers each time. */
export const fixedHeaders = (...headers: string[]): Auth => ({ headersFor: () => headers });

export const bearer = (token: string): Auth => fixedHeaders('authorization', `Bearer ${token}`);
