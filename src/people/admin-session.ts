import type { Id } from '../kernel/ids.js';
import type { Person } from './person.js';

export const SIGN_IN_METHODS = ['password', 'sso', 'link'] as const;
export type SignInMethod = (typeof SIGN_IN_METHODS)[number];

/** A sign-in that lasts: 12 hours, or until it was not used for one. */
export interface AdminSession {
  id: Id;
  method: SignInMethod;
  /** With a second factor. */
  confirmed: boolean;
  address: string;
  userAgent: string | null;
  createdAt: Date;
  lastSeenAt: Date;
  expiresAt: Date;
}

/** Who is signed in, and by which session. */
export interface SignedIn {
  session: AdminSession;
  person: Person;
  /** Its tenant is suspended. */
  isSuspended: boolean;
}

/** Where a sign-in comes from. */
export interface Origin {
  address: string;
  userAgent: string | null;
}
