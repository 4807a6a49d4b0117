import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { newId } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, PLATFORM, type Pool } from '../platform/postgres/index.js';
import { EVENT_TYPES, type EventType, kindOf, type StoredEvent } from './events.js';
import type { Delivery, DeliveryFailure, DeliveryState, Webhook } from './webhook.js';

/** A delivery that is to be sent now, and where to. */
export interface DueDelivery {
  id: string;
  /** How many there were, with this one. */
  attempts: number;
  event: StoredEvent;
  webhook: Pick<Webhook, 'id' | 'tenantId' | 'format' | 'disabledBy'>;
  sealed: Buffer;
}

/** What became of an attempt. */
export interface Attempted {
  status: number | null;
  failure: DeliveryFailure | null;
  /** Seconds until it is repeated; null: it is not. */
  againIn: number | null;
}

export interface DeliveryPage {
  after?: string;
  before?: string;
  limit: number;
  order: 'asc' | 'desc';
  state?: DeliveryState;
}

/** Events that are handed on in one transaction. */
const EVENTS_AT_ONCE = 500;
/** Deliveries that are looked at for those to send next. */
const LOOKED_AT = 1_000;
/** Whoever took a delivery says how it went within this, or it is sent again: much longer than an attempt may take. */
const LEASE_SECONDS = 60;

const EVENT = `json_build_object('tenantId', e.tenant_id, 'type', e.kind, 'payload', e.payload) AS event, e.created_at AS "eventAt"`;
const DELIVERY = `d.id, d.webhook_id AS "webhookId", d.state, d.attempts, d.next_attempt_at AS "nextAttemptAt", d.last_status AS "lastStatus",
  d.last_failure AS "lastFailure", d.created_at AS "createdAt", d.ended_at AS "endedAt", ${EVENT}`;

/** A row that has an event. */
type WithEvent<T> = Omit<T, 'event'> & { event: Omit<StoredEvent, 'createdAt'>; eventAt: Date };

/** The outbox on its way to webhooks. What is sent, and when, is decided by these rows alone. */
@Injectable()
export class DeliveriesRepository {
  constructor(@Inject(CONFIG_POOL) private readonly pool: Pool) {}

  /** Hands events of the outbox to the webhooks that take them, each once. Answers how many events it looked at. */
  handOn(): Promise<number> {
    return inTransaction(this.pool, async (client) => {
      const { rows: events } = await client.query<{ id: bigint; tenant_id: string; kind: EventType; created_at: Date }>(
        'SELECT id, tenant_id, kind, created_at FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED',
        [EVENTS_AT_ONCE],
      );
      if (events.length === 0) return 0;
      const { rows: webhooks } = await client.query<Taker>(
        `SELECT id, tenant_id AS "tenantId", types, tenant_events AS "tenantEvents", created_at AS "createdAt" FROM webhooks
         WHERE disabled_by IS NULL AND (tenant_id IS NULL OR tenant_id = ANY ($1))`,
        [[...new Set(events.map(({ tenant_id }) => tenant_id))]],
      );
      const known = events.filter(({ kind }) => EVENT_TYPES.includes(kind));
      const taken = known.flatMap((event) =>
        webhooks
          .filter((webhook) => takes(webhook, event.kind, event.tenant_id) && webhook.createdAt <= event.created_at)
          .map((webhook) => ({ id: newId(), tenantId: webhook.tenantId, webhookId: webhook.id, eventId: event.id })),
      );
      await insert(client, taken);
      await client.query('UPDATE outbox SET delivered_at = weir_now() WHERE id = ANY ($1)', [events.map(({ id }) => id)]);
      return events.length;
    });
  }

  /** Makes an event that goes to one webhook. */
  test({ id: webhookId, tenantId }: Webhook): Promise<string> {
    return inTransaction(this.pool, async (client) => {
      const id = newId();
      const { rows } = await client.query<{ id: bigint }>(
        `INSERT INTO outbox (tenant_id, kind, dedupe_key, payload, delivered_at) VALUES ($1, 'webhook.test', 'webhook.test:' || $2, '{}', weir_now()) RETURNING id`,
        [tenantId ?? PLATFORM, id],
      );
      await insert(client, [{ id, tenantId, webhookId, eventId: rows[0]!.id }]);
      return id;
    });
  }

  /**
   * Takes deliveries that are due. If nobody says how one went, it is due again a minute later.
   * @param most how many at most: in all, of one webhook and of the webhooks of one owner.
   * @param busy webhooks and owners of which none is taken.
   */
  async take(most: Readonly<Record<'inAll' | 'ofWebhook' | 'ofOwner', number>>, busy: readonly string[]): Promise<DueDelivery[]> {
    const { rows } = await this.pool.query<WithEvent<DueDelivery>>(
      `WITH due AS (
         SELECT d.id, d.next_attempt_at, d.owner, row_number() OVER (PARTITION BY d.webhook_id ORDER BY d.next_attempt_at, d.id) AS place
         FROM (SELECT id, webhook_id, next_attempt_at, coalesce(tenant_id, '${PLATFORM}') AS owner FROM webhook_deliveries
           WHERE state = 'pending' AND next_attempt_at <= weir_now() AND webhook_id <> ALL ($4::uuid[])
             AND coalesce(tenant_id, '${PLATFORM}') <> ALL ($4::uuid[]) ORDER BY next_attempt_at LIMIT ${LOOKED_AT}) d
       ), fair AS (
         SELECT id, row_number() OVER (PARTITION BY owner ORDER BY next_attempt_at, id) AS place FROM due WHERE place <= $2
       ), free AS (
         SELECT d.id FROM webhook_deliveries d WHERE d.id = ANY (ARRAY(SELECT id FROM fair WHERE place <= $3))
           AND d.state = 'pending' AND d.next_attempt_at <= weir_now() ORDER BY d.next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED
       ), taken AS (
         UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_attempt_at = weir_now() + interval '${LEASE_SECONDS} seconds'
         FROM free WHERE d.id = free.id RETURNING d.id, d.attempts, d.webhook_id, d.event_id
       )
       SELECT t.id, t.attempts, ${EVENT}, w.sealed,
         json_build_object('id', w.id, 'tenantId', w.tenant_id, 'format', w.format, 'disabledBy', w.disabled_by) AS webhook
       FROM taken t JOIN outbox e ON e.id = t.event_id JOIN webhooks w ON w.id = t.webhook_id`,
      [most.inAll, most.ofWebhook, most.ofOwner, busy],
    );
    return rows.map(withEvent);
  }

  /** Says how an attempt went, unless another attempt has begun since or an admin gave it up. */
  async note({ id, attempts }: DueDelivery, { status, failure, againIn }: Attempted, isDelivered: boolean): Promise<void> {
    const state: DeliveryState = isDelivered ? 'delivered' : againIn === null ? 'dead' : 'pending';
    await this.pool.query(
      `UPDATE webhook_deliveries SET state = $3, last_status = $4, last_failure = $5,
         next_attempt_at = weir_now() + make_interval(secs => coalesce($6::float8, 0)), ended_at = CASE WHEN $3 <> 'pending' THEN weir_now() END
       WHERE id = $1 AND state = 'pending' AND attempts = $2`,
      [id, attempts, state, status, failure, againIn],
    );
  }

  /** Null: the webhook has no such delivery. */
  async find(webhookId: string, id: string): Promise<Delivery | null> {
    const { rows } = await this.pool.query<WithEvent<Delivery>>(
      `SELECT ${DELIVERY} FROM webhook_deliveries d JOIN outbox e ON e.id = d.event_id WHERE d.webhook_id = $1 AND d.id = $2`,
      [webhookId, id],
    );
    return rows[0] ? withEvent(rows[0]) : null;
  }

  async list(
    webhookId: string,
    { after, before, limit, order, state }: DeliveryPage,
  ): Promise<{ deliveries: Delivery[]; hasMore: boolean }> {
    // Only `before`: the page that ends there, read backwards from it.
    const backwards = before !== undefined && after === undefined;
    const rises = (order === 'asc') !== backwards;
    const [least, most] = order === 'asc' ? [after, before] : [before, after];
    const { rows } = await this.pool.query<WithEvent<Delivery>>(
      `SELECT ${DELIVERY} FROM webhook_deliveries d JOIN outbox e ON e.id = d.event_id
       WHERE d.webhook_id = $1 AND ($2::text IS NULL OR d.state = $2) AND ($3::uuid IS NULL OR d.id > $3) AND ($4::uuid IS NULL OR d.id < $4)
       ORDER BY d.id ${rises ? 'ASC' : 'DESC'} LIMIT $5`,
      [webhookId, state, least, most, limit + 1],
    );
    const deliveries = rows.slice(0, limit).map(withEvent);
    return { deliveries: backwards ? deliveries.reverse() : deliveries, hasMore: rows.length > limit };
  }

  /** Sends deliveries that are over once more, under their ids. @param id null: all that are dead. Answers how many. */
  async replay(webhookId: string, id: string | null): Promise<number> {
    const { rowCount } = await this.pool.query(
      `UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_attempt_at = weir_now(), ended_at = NULL
       WHERE webhook_id = $1 AND CASE WHEN $2::uuid IS NULL THEN state = 'dead' ELSE id = $2 AND state <> 'pending' END`,
      [webhookId, id],
    );
    return rowCount ?? 0;
  }
}

type Taker = Pick<Webhook, 'id' | 'tenantId' | 'types' | 'tenantEvents' | 'createdAt'>;

/** Whether a webhook is told of an event. */
function takes({ tenantId, types, tenantEvents }: Taker, type: EventType, about: string): boolean {
  if (types !== null && !types.includes(type)) return false;
  const isOfPlatform = about === PLATFORM || kindOf(type).platformOnly === true;
  return tenantId === null ? isOfPlatform || tenantEvents : !isOfPlatform && tenantId === about;
}

interface NewDelivery {
  id: string;
  tenantId: string | null;
  webhookId: string;
  eventId: bigint;
}

async function insert(client: PoolClient, deliveries: readonly NewDelivery[]): Promise<void> {
  if (deliveries.length === 0) return;
  await client.query(
    `INSERT INTO webhook_deliveries (id, tenant_id, webhook_id, event_id, next_attempt_at, created_at)
     SELECT *, weir_now(), weir_now() FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[])`,
    [
      deliveries.map(({ id }) => id),
      deliveries.map(({ tenantId }) => tenantId),
      deliveries.map(({ webhookId }) => webhookId),
      deliveries.map(({ eventId }) => eventId),
    ],
  );
}

const withEvent = <T extends { event: StoredEvent }>({ eventAt, event, ...row }: WithEvent<T>): T =>
  ({ ...row, event: { ...event, createdAt: eventAt } }) as unknown as T;
