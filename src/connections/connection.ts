import type { Id } from '../kernel/ids.js';
import type { Access } from './flows/flow.js';

/**
 * A subscription of a person at a provider, logged in to for one tenant. `pending`: it waits for its person. `failed`: the login came to nothing.
 * `expired`: it did, and has ended; or nobody came in time.
 */
export interface Connection {
  id: Id;
  tenantId: Id;
  providerId: Id;
  /** Of the provider when it was connected: its tokens are for there. */
  origin: string;
  state: 'pending' | 'connected' | 'expired' | 'failed';
  /** Why it is as it is, in a word such as `access_denied` or `invalid_grant`; null: nothing went wrong. */
  lastError: string | null;
  intervalSeconds: number;
  /** Asking for the outcome earlier is answered without asking the vendor. */
  pollAfter: Date;
  /** Of the code. */
  deviceExpiresAt: Date;
  /** Null: it is not connected, or its token does not say. */
  accessExpiresAt: Date | null;
  connectedAt: Date | null;
  createdAt: Date;
  /** How many access tokens it has had after the first. */
  renewal: number;
}

/** A connection as calls need it. */
export interface OpenConnection extends Connection {
  /** Null: there is none, or it cannot be opened; renewing it gives one. */
  access: Access | null;
}

/** Over the refusal of a vendor: from the reason it gave. */
export const stateAfter = (reason: string): 'expired' | 'failed' => (reason === 'expired_token' ? 'expired' : 'failed');

/** RFC 8628, 3.5. */
export const SLOW_DOWN_SECONDS = 5;
