import type { Secret } from '../platform/crypto/index.js';

/** What a provider is shown: sealed at rest, bound to its owner, provider and origin. A provider may have several, used in turn. */
export interface Credential {
  id: string;
  providerId: string;
  /** Null: the platform's. */
  tenantId: string | null;
  /** The only one it may be shown to. */
  origin: string;
  secret: Secret;
}

/** A credential as it was read. Null: it cannot be opened. */
export type Opened = Omit<Credential, 'secret'> & { secret: Secret | null };

export const isOpen = (credential: Opened): credential is Credential => credential.secret !== null;

/** Why a provider did not want a credential: too many calls, not valid or not allowed, or nothing left to pay with. */
export type CooldownReason = 'rate_limited' | 'refused' | 'out_of_money';

/** What may be shown of a credential. */
export interface CredentialSummary {
  id: string;
  providerId: string;
  /** Null: too short to show any, or not kept when it was entered. */
  last4: string | null;
  createdAt: Date;
  /** Until when it is passed over, and why; null: it is in use. */
  resting: { reason: CooldownReason; until: Date } | null;
  /** Models that the provider limits it for. */
  restingModels: readonly { model: string; until: Date }[];
}

/** Four characters of a short secret are much of it. */
const SHORTEST_WITH_LAST4 = 16;

/** Null: too short to show any, or a credential of several fields. */
export function last4Of(secret: Secret): string | null {
  const text = secret.reveal();
  return text.length < SHORTEST_WITH_LAST4 || text.startsWith('{') ? null : text.slice(-4);
}
