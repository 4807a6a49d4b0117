import type { Secret } from '../platform/crypto/index.js';
import type { EgressFailure } from '../platform/egress/index.js';
import type { EventType, StoredEvent } from './events.js';

/** How an event is written: signed JSON, or a message for people. */
export const WEBHOOK_FORMATS = ['standard', 'slack', 'teams', 'email'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** Where events are told to. */
export interface Webhook {
  id: string;
  /** Null: the platform's. */
  tenantId: string | null;
  name: string;
  format: WebhookFormat;
  /** What may be shown of where it leads. */
  address: string;
  /** Null: every type. */
  types: EventType[] | null;
  /** Of the platform's: it is told of events of tenants too. */
  tenantEvents: boolean;
  /** Who disabled it: an admin, or the receiver that answered 410. Null: it is enabled. */
  disabledBy: 'admin' | 'receiver' | null;
  metadata: unknown;
  createdAt: Date;
}

/** What is sealed of a webhook. */
export interface WebhookTarget {
  /** A URL; of e-mail, addresses with commas between them. */
  to: string;
  /** What it is signed with, the newest first. Empty: it is not signed. */
  secrets: readonly SigningSecret[];
}

interface SigningSecret {
  secret: Secret;
  /** Unix time in ms; null: for good. */
  until: number | null;
}

export const DELIVERY_STATES = ['pending', 'delivered', 'dead'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** Why an attempt failed where there was no status that says it. `rejected`: the mail server did not take it. */
export type DeliveryFailure = EgressFailure | 'unreadable' | 'rejected';

/** An event on its way to one webhook. */
export interface Delivery {
  /** What the receiver knows it by, the same in each attempt. */
  id: string;
  webhookId: string;
  event: StoredEvent;
  state: DeliveryState;
  attempts: number;
  /** Of a pending one. */
  nextAttemptAt: Date;
  /** Of the last attempt; null: there was none. */
  lastStatus: number | null;
  lastFailure: DeliveryFailure | null;
  createdAt: Date;
  /** When it was delivered or given up; null: it is pending. */
  endedAt: Date | null;
}

/** Seconds until an attempt is repeated, after the first, the second and so on. After the last one the delivery is dead. */
const SCHEDULE_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
/** Of the time: receivers that were away are not all asked in one moment. */
const JITTER = 0.1;

/** Seconds until the next attempt, after so many. Null: there is none. */
export function nextAttemptIn(attempts: number, random = Math.random): number | null {
  const seconds = SCHEDULE_SECONDS[attempts - 1];
  return seconds === undefined ? null : seconds * (1 + JITTER * random());
}
