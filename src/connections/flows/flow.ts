import type { Secret } from '../../platform/crypto/index.js';
import type { AuthorizationServer } from '../authorization-server.js';

/** What a login is made with. */
export interface LoginContext {
  server: AuthorizationServer;
  clientId: string;
  /** Of the provider: an address may stand for a region. */
  baseUrl: string;
  /** Unix time in ms, by Postgres. */
  now: number;
}

/** A login that waits for its person. */
export interface DeviceLogin {
  userCode: string;
  verificationUri: string;
  expiresAt: Date;
  intervalSeconds: number;
  /** What asking for its outcome needs. Secret. */
  device: Readonly<Record<string, string>>;
}

/** What a call is made with. Secret. */
export interface Access {
  token: string;
  /** Names and values in turn, beside the token. */
  headers: readonly string[];
  /** Where the vendor wants the calls of this person; null: where the provider is. */
  baseUrl: string | null;
  /** Unix time in ms; null: it does not say. */
  expiresAt: number | null;
}

export interface TokenGrant {
  /** Null: the one there was is still good. */
  refreshToken: string | null;
  /** Null: it could not be had yet, and the first call asks again. */
  access: Access | null;
}

/** How one vendor's subscriptions are logged in to. Every method may throw LoginRefused or LoginFailed. */
export interface Flow {
  /** How long before its end an access token is replaced. */
  renewAheadMs: number;
  /** Whose hosts may be named as the address of calls, with those below them. */
  domains: readonly string[];
  start(login: LoginContext): Promise<DeviceLogin>;
  poll(login: LoginContext, device: Readonly<Record<string, string>>): Promise<TokenGrant | 'pending' | 'slow_down'>;
  renew(login: LoginContext, refreshToken: Secret): Promise<TokenGrant>;
}
