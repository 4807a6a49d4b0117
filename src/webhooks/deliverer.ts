import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { publicId } from '../kernel/ids.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { Egress, EgressError } from '../platform/egress/index.js';
import { crashPoint } from '../platform/faults/index.js';
import { Mailer } from '../platform/mail/index.js';
import { isPostgresAway, PLATFORM } from '../platform/postgres/index.js';
import { LOGGER, type Logger, Metrics } from '../platform/telemetry/index.js';
import { type Attempted, DeliveriesRepository, type DueDelivery } from './deliveries.repository.js';
import { messageOf, noticeOf } from './message.js';
import { statusOf } from './post.js';
import { type DeliveryFailure, nextAttemptIn, type WebhookTarget } from './webhook.js';
import { WebhooksRepository } from './webhooks.repository.js';

/** How long a receiver may take to answer. */
const TIMEOUT_MS = 15_000;
/** Under way at a time, in this process: receivers that do not answer keep nobody else's from being told. */
const MOST = { inAll: 64, ofWebhook: 4, ofOwner: 16 };
/** How long one run waits for what it has sent. What takes longer does not keep it from sending more. */
const PATIENCE_MS = 1_000;
/** How long a stop waits for what is under way. What it leaves is sent again, under its id. */
const GOODBYE_MS = 3_000;
/** The receiver wants nothing any more. */
const GONE = 410;

type Answer = { status: number } | { failure: DeliveryFailure };

/** Tells webhooks of events: at least once each, and again until the receiver takes it or the schedule is over. */
@Injectable()
export class Deliverer implements OnApplicationShutdown {
  private readonly underWay = new Map<Promise<void>, DueDelivery['webhook']>();
  private readonly mailer: Mailer | null;
  private isStopping = false;

  constructor(
    private readonly deliveries: DeliveriesRepository,
    private readonly webhooks: WebhooksRepository,
    private readonly egress: Egress,
    private readonly metrics: Metrics,
    @Inject(CONFIG) { smtp }: Pick<Config, 'smtp'>,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    this.mailer = smtp && new Mailer(smtp, TIMEOUT_MS);
  }

  /** Hands on what is new, and sends what is due. Answers whether it did anything. */
  async run(): Promise<boolean> {
    const handedOn = await this.deliveries.handOn();
    const due = await this.deliveries.take({ ...MOST, inAll: MOST.inAll - this.underWay.size }, this.busy());
    for (const delivery of due) this.start(delivery);
    await settled([...this.underWay.keys()], PATIENCE_MS);
    return handedOn + due.length > 0;
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    await settled([...this.underWay.keys()], GOODBYE_MS);
  }

  /** Webhooks and owners with as much under way as they may have. */
  private busy(): string[] {
    const webhooks = [...this.underWay.values()];
    return [
      ...idsAbove(MOST.ofWebhook, webhooks, ({ id }) => id),
      ...idsAbove(MOST.ofOwner, webhooks, ({ tenantId }) => tenantId ?? PLATFORM),
    ];
  }

  private start(delivery: DueDelivery): void {
    const sent = this.deliver(delivery)
      .catch((error) => {
        // It is sent again when its time is over.
        if (!this.isStopping && !isPostgresAway(error))
          this.log.error({ delivery: publicId('delivery', delivery.id), err: error }, 'a delivery failed');
      })
      .finally(() => this.underWay.delete(sent));
    this.underWay.set(sent, delivery.webhook);
  }

  private async deliver(delivery: DueDelivery): Promise<void> {
    const answer = await this.send(delivery);
    crashPoint('webhook_sent');
    const status = 'status' in answer ? answer.status : null;
    const isDelivered = status !== null && status >= 200 && status < 300;
    const againIn = isDelivered || status === GONE || delivery.webhook.disabledBy !== null ? null : nextAttemptIn(delivery.attempts);
    const attempted: Attempted = { status, failure: 'failure' in answer ? answer.failure : null, againIn };
    await this.deliveries.note(delivery, attempted, isDelivered);
    if (status === GONE) await this.webhooks.disable(delivery.webhook.id);
    this.metrics.webhookAttempts.inc({ result: isDelivered ? 'delivered' : againIn === null ? 'dead' : 'failed' });
    if (!isDelivered && againIn === null)
      this.log.warn(
        {
          webhook: publicId('webhook', delivery.webhook.id),
          delivery: publicId('delivery', delivery.id),
          status,
          failure: attempted.failure,
        },
        status === GONE ? 'a webhook was disabled, because its receiver is gone' : 'a delivery was given up',
      );
  }

  private async send(delivery: DueDelivery): Promise<Answer> {
    const { id, event, webhook, sealed } = delivery;
    if (webhook.disabledBy !== null) return { failure: 'refused' };
    let target: WebhookTarget;
    try {
      target = await this.webhooks.open(webhook, sealed);
    } catch (error) {
      if (isPostgresAway(error)) throw error;
      return { failure: 'unreadable' };
    }
    if (webhook.format === 'email') return this.mail(id, noticeOf(event), target.to);
    const { origin, pathname, search } = new URL(target.to);
    const message = messageOf(webhook.format, id, event, target, Date.now());
    try {
      return { status: await statusOf(this.egress, { origin, path: pathname + search, ...message }, TIMEOUT_MS) };
    } catch (error) {
      if (error instanceof EgressError) return { failure: error.failure };
      throw error;
    }
  }

  private async mail(id: string, { title, text }: { title: string; text: string }, to: string): Promise<Answer> {
    if (this.mailer === null) return { failure: 'refused' };
    try {
      await this.mailer.send({ to, subject: title, text, id: publicId('delivery', id) });
      return { status: 250 };
    } catch (error) {
      this.log.warn(
        { delivery: publicId('delivery', id), code: (error as { code?: string }).code },
        'the mail server did not take a message',
      );
      return { failure: 'rejected' };
    }
  }
}

const idsAbove = <T>(most: number, of: readonly T[], idOf: (one: T) => string): string[] =>
  [...Map.groupBy(of, idOf)].filter(([, { length }]) => length >= most).map(([id]) => id);

/** Waits for all of these, but no longer than this. */
async function settled(under: readonly Promise<void>[], ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.all(under), limit]);
  clearTimeout(timer);
}
