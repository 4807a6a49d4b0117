import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { found } from '../kernel/found.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { DestinationGuard } from '../platform/egress/index.js';
import { addressOf } from './address.js';
import { DeliveriesRepository, type DeliveryPage } from './deliveries.repository.js';
import { newSigningSecret } from './signature.js';
import type { Delivery, Webhook, WebhookFormat, WebhookTarget } from './webhook.js';
import { type NewWebhook, WebhooksRepository } from './webhooks.repository.js';

/** Where a webhook leads, as it was given: a URL, or addresses of e-mail. */
export interface GivenTarget {
  url?: string;
  emails?: readonly string[];
}

type Changes = Partial<Pick<Webhook, 'name' | 'types' | 'tenantEvents' | 'metadata'>> & GivenTarget & { enabled?: boolean };

const MAX_WEBHOOKS = 50;
/** One that was rotated again and again within its overlap is signed by no more. */
const MAX_SECRETS = 5;

@Injectable()
export class WebhooksService {
  constructor(
    private readonly webhooks: WebhooksRepository,
    private readonly deliveries: DeliveriesRepository,
    private readonly guard: DestinationGuard,
    @Inject(CONFIG) private readonly config: Pick<Config, 'smtp'>,
  ) {}

  /** Makes a webhook; `secret` is the only copy there will ever be, and null where nothing is signed. @throws WeirError invalid_request, too_many */
  async create(
    fields: Omit<NewWebhook, 'address' | 'disabledBy'>,
    given: GivenTarget,
    enabled: boolean,
  ): Promise<{ webhook: Webhook; secret: string | null }> {
    const { to, address } = this.targetOf(fields.format, given);
    const secret = fields.format === 'standard' ? newSigningSecret() : null;
    const secrets = secret ? [{ secret, until: null }] : [];
    const made: NewWebhook = { ...fields, address, disabledBy: enabled ? null : 'admin' };
    const webhook = await this.webhooks.insert(made, { to, secrets }, MAX_WEBHOOKS);
    if (webhook === null)
      throw new WeirError('too_many', {
        message: `There may be at most ${MAX_WEBHOOKS} webhooks. Delete one first.`,
        fields: { limit: MAX_WEBHOOKS },
      });
    return { webhook, secret: secret?.reveal() ?? null };
  }

  list(tenantId: string | null): Promise<Webhook[]> {
    return this.webhooks.list(tenantId);
  }

  /** @throws WeirError not_found */
  async get(tenantId: string | null, id: string): Promise<Webhook> {
    return found('webhook', await this.webhooks.find(tenantId, id));
  }

  /** What is pending of one that is disabled becomes dead. @throws WeirError not_found, invalid_request */
  async update(tenantId: string | null, id: string, { url, emails, enabled, ...others }: Changes): Promise<Webhook> {
    const { format } = await this.get(tenantId, id);
    const target = url === undefined && emails === undefined ? null : this.targetOf(format, { url, emails });
    const changes = {
      ...others,
      ...(target && { address: target.address }),
      ...(enabled !== undefined && { disabledBy: enabled ? null : ('admin' as const) }),
    };
    const retarget = target && ((present: WebhookTarget) => ({ ...present, to: target.to }));
    return found('webhook', await this.webhooks.update(tenantId, id, changes, retarget));
  }

  /** Gives a webhook another secret, which is shown once. What is sent is signed by the present one too for so long. @throws WeirError not_found, conflict */
  async rotate(tenantId: string | null, id: string, overlapSeconds: number): Promise<{ webhook: Webhook; secret: string }> {
    const { format } = await this.get(tenantId, id);
    if (format !== 'standard') throw new WeirError('conflict', { message: 'What goes there is not signed, so it has no secret.' });
    const secret = newSigningSecret();
    const now = Date.now();
    const until = now + overlapSeconds * 1_000;
    const webhook = await this.webhooks.update(tenantId, id, {}, ({ to, secrets }) => {
      const earlier = secrets.map((one) => ({ ...one, until: Math.min(one.until ?? until, until) })).filter((one) => one.until > now);
      return { to, secrets: [{ secret, until: null }, ...earlier].slice(0, MAX_SECRETS) };
    });
    return { webhook: found('webhook', webhook), secret: secret.reveal() };
  }

  /** @throws WeirError not_found */
  async delete(tenantId: string | null, id: string): Promise<void> {
    if (!(await this.webhooks.delete(tenantId, id))) found('webhook', null);
  }

  /** Sends an event that tells nothing. @throws WeirError not_found, conflict */
  async test(tenantId: string | null, id: string): Promise<Delivery> {
    const webhook = await this.enabled(tenantId, id);
    return found('delivery', await this.deliveries.find(webhook.id, await this.deliveries.test(webhook)));
  }

  /** @throws WeirError not_found */
  async listDeliveries(tenantId: string | null, id: string, page: DeliveryPage): Promise<{ deliveries: Delivery[]; hasMore: boolean }> {
    return this.deliveries.list((await this.get(tenantId, id)).id, page);
  }

  /** Sends one delivery once more. @throws WeirError not_found, conflict */
  async replay(tenantId: string | null, id: string, deliveryId: string): Promise<Delivery> {
    const webhook = await this.get(tenantId, id);
    found('delivery', await this.deliveries.find(webhook.id, deliveryId));
    assertEnabled(webhook);
    if ((await this.deliveries.replay(webhook.id, deliveryId)) === 0)
      throw new WeirError('conflict', { message: 'The delivery is pending: it is sent again anyway.' });
    return found('delivery', await this.deliveries.find(webhook.id, deliveryId));
  }

  /** Sends all dead deliveries once more. Answers how many. @throws WeirError not_found, conflict */
  async replayDead(tenantId: string | null, id: string): Promise<number> {
    return this.deliveries.replay((await this.enabled(tenantId, id)).id, null);
  }

  private async enabled(tenantId: string | null, id: string): Promise<Webhook> {
    const webhook = await this.get(tenantId, id);
    assertEnabled(webhook);
    return webhook;
  }

  /** @throws WeirError invalid_request */
  private targetOf(format: WebhookFormat, { url, emails }: GivenTarget): { to: string; address: string } {
    const [wanted, other] = format === 'email' ? (['emails', 'url'] as const) : (['url', 'emails'] as const);
    if ({ url, emails }[wanted] === undefined || { url, emails }[other] !== undefined)
      throw new WeirError('invalid_request', { param: wanted, message: `The format "${format}" needs "${wanted}", and no "${other}".` });
    if (format !== 'email') return addressOf(format, url!, this.guard);
    if (this.config.smtp === null)
      throw new WeirError('invalid_request', {
        param: 'format',
        message: 'This installation sends no e-mail: its operator sets WEIR_SMTP_URL first.',
      });
    return { to: emails!.join(', '), address: emails!.join(', ') };
  }
}

/** @throws WeirError conflict */
function assertEnabled({ disabledBy }: Webhook): void {
  if (disabledBy !== null) throw new WeirError('conflict', { message: 'The webhook is disabled. Set "enabled" to true first.' });
}
