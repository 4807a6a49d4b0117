import { Inject, Injectable } from '@nestjs/common';
import { CallerDirectory } from '../api-keys/index.js';
import { type Approval, ApprovalsService, renderShort } from '../approvals/index.js';
import { WeirError } from '../kernel/errors.js';
import { newId, publicId } from '../kernel/ids.js';
import { formatUsd } from '../kernel/money.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { ApprovalNeeded, type Hold } from '../quotas/index.js';
import type { Call } from './call.js';
import { policyOf } from './call-options.js';
import type { Reply } from './reply.js';

/** Connections of a tenant that wait for a decision, at once. */
const MAX_WAITS = 8;
/** Of all requests of this process that wait. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** An Idempotency-Key is another request's after a minute without a hold. */
const MAX_KEYED_WAIT_MS = 50_000;
/** How often it is looked whether the key of a request that waits is still valid. */
const LOOK_MS = 500;
/** How often a request that waits is tried again: its budgets may have been changed. */
const TRY_MS = 5_000;

/** Calls beyond a budget that somebody may approve: asks for it, waits for it where the client does, and takes back what was not needed. */
@Injectable()
export class ApprovedCalls {
  private readonly waits = new Map<string, number>();
  private readonly places = new WeakSet<Call>();
  private waitingBytes = 0;
  private readonly ended = new AbortController();

  constructor(
    private readonly approvals: ApprovalsService,
    private readonly callers: CallerDirectory,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Whoever waits is told to come back: this process ends. */
  stopWaiting(): void {
    this.ended.abort();
  }

  /** A call that names an approval may use it. */
  async present(call: Call): Promise<void> {
    const { approvalId } = call.options;
    if (approvalId !== null) call.approval = { id: approvalId, fingerprint: await this.fingerprint(call) };
  }

  /**
   * A call was refused because somebody has to approve it: it is asked for. Resolves when the call is to be tried again: once it was approved and the client
   * waited for that, and now and then meanwhile. It keeps its place among those that wait until {@link leave}.
   * @throws WeirError approval_required, cost_limit_exceeded, or what the budget refused it with where no approval would help
   */
  async decided(call: Call, reply: Reply, error: WeirError): Promise<void> {
    const { amount, scopes, denied } = error.cause as ApprovalNeeded;
    const { caller, prompt, options, endpoint } = call;
    const { tenantId } = caller;
    const model = prompt.model ?? '';
    const standing = await this.approvals.request({
      id: newId(),
      tenantId,
      projectId: caller.projectId,
      apiKeyId: caller.apiKeyId,
      endpoint,
      model,
      fingerprint: await this.fingerprint(call),
      amount,
      scopes,
      facts: {
        ...(prompt.endUser !== null && { end_user: prompt.endUser }),
        ...(options.session !== null && { session: options.session }),
        ...(options.tags.length > 0 && { tags: options.tags }),
      },
      presented: call.approval?.id ?? options.approvalId,
    });
    if (standing === null) throw denied;
    const budgets = standing.shorts.map(renderShort);
    const fields = { ...error.fields, amount: formatUsd(amount), budgets };
    if (standing.became === 'full') throw error.with({ message: `${error.message} ${TOO_MANY}`, fields });
    const id = publicId('approval', standing.id);
    if (standing.became === 'rejected') throw rejected(id, standing.reason, fields);
    const state = standing.became === 'approved' ? 'approved' : 'pending';
    const unfit = options.approvalId !== null && options.approvalId !== standing.id ? ` ${unfitting(options.approvalId)}` : '';
    const told = error.with({
      message: `${error.message} ${standing.became === 'approved' ? isApproved(id) : mustBeApproved(id)}${unfit}`,
      fields: { ...fields, approval_id: id, state, expires_at: unix(standing.expiresAt) },
      headers: { location: `/v1/approvals/${id}` },
    });
    const decision = state === 'approved' ? null : await this.wait(call, reply, standing.id, told);
    if (decision === 'again') return;
    if (decision?.state === 'rejected') throw rejected(id, decision.reason, fields);
    if (state !== 'approved' && decision?.state !== 'approved') throw told;
    if (options.waitMs === null) throw told;
    // The key may have been changed meanwhile: the call is checked by what it is now.
    const refusal = call.refusal(); // 401 403
    if (refusal) throw refusal;
    call.caller = this.callers.refreshed(caller);
    call.approval = decision?.kind === 'amount' ? null : { id: standing.id, fingerprint: await this.fingerprint(call) };
  }

  /** What such a call did not need of what was granted for it goes back. Where that fails, a worker does it. */
  settled(hold: Hold): void {
    if (!hold.isApproved) return;
    void this.approvals.takeBack(hold.tenantId, hold.callId).catch((err) => this.log.debug({ err }, 'a grant could not be taken back yet'));
  }

  /** A call that may have waited waits no more. */
  leave(call: Call): void {
    if (!this.places.delete(call)) return;
    const { tenantId } = call.caller;
    this.waitingBytes -= bytesOf(call);
    const others = this.waits.get(tenantId)! - 1;
    if (others > 0) this.waits.set(tenantId, others);
    else this.waits.delete(tenantId);
  }

  /** @throws what the call is told where there is no place for it. */
  private enter(call: Call, told: WeirError): void {
    if (this.places.has(call)) return;
    const { tenantId } = call.caller;
    const waits = this.waits.get(tenantId) ?? 0;
    if (waits >= MAX_WAITS || this.waitingBytes + bytesOf(call) > MAX_WAITING_BYTES)
      throw told.with({ message: `${told.message} Too many requests wait for a decision already, so this one does not.` });
    this.places.add(call);
    this.waits.set(tenantId, waits + 1);
    this.waitingBytes += bytesOf(call);
  }

  /**
   * Null: it was not decided while the client waited.
   * @throws what it is told where nobody can wait; WeirError once its key may not make it any more
   */
  private async wait(call: Call, reply: Reply, id: string, told: WeirError): Promise<Approval | 'again' | null> {
    const { waitMs, idempotencyKey } = call.options;
    if (waitMs === null || call.isLocal) return null;
    this.enter(call, told);
    const since = performance.now();
    const until = since - call.waitedMs + (idempotencyKey === null ? waitMs : Math.min(waitMs, MAX_KEYED_WAIT_MS));
    try {
      while (!reply.gone && !this.ended.signal.aborted) {
        // Before it is looked: what is told in between is not missed.
        const look = new AbortController();
        const news = this.approvals.news(id, look.signal);
        const approval = await this.approvals.get(call.caller.tenantId, id).catch(() => null);
        const now = performance.now();
        if (until <= now || (approval && approval.state !== 'pending')) {
          look.abort();
          return approval;
        }
        const refusal = call.refusal(); // 401 403
        if (refusal) throw refusal;
        if (now - since >= TRY_MS) return 'again';
        await this.untilNews(news, look, reply, Math.min(until - now, TRY_MS), call);
      }
      return null;
    } finally {
      call.waitedMs += performance.now() - since;
    }
  }

  /** Until there is news, the client leaves, the process ends, the key is revoked or the time is over. */
  private async untilNews(news: Promise<void>, look: AbortController, reply: Reply, leftMs: number, call: Call): Promise<void> {
    const stop = () => look.abort();
    reply.onGone = stop;
    this.ended.signal.addEventListener('abort', stop);
    const timer = setTimeout(stop, leftMs);
    const watch = setInterval(() => call.refusal() && stop(), LOOK_MS);
    // Either may have come while the approval was read.
    if (reply.gone || this.ended.signal.aborted) stop();
    await news;
    clearTimeout(timer);
    clearInterval(watch);
    this.ended.signal.removeEventListener('abort', stop);
    reply.onGone = null;
  }

  private fingerprint({ caller, endpoint, options, prompt }: Call): Promise<Buffer> {
    return this.approvals.fingerprint(caller.apiKeyId, endpoint, policyOf(options), prompt.source?.text ?? '');
  }
}

const mustBeApproved = (id: string) =>
  `The request needs an approval: ${id} waits for a decision. Once it is approved, send the same request again with the header "x-weir-approval: ${id}".`;
const isApproved = (id: string) => `It was approved: send the same request again with the header "x-weir-approval: ${id}".`;
const unfitting = (id: string) =>
  `The approval that was sent, ${publicId('approval', id)}, does not fit: it is for another request, was used, or is over. An approval is for one API key, endpoint, body and set of x-weir headers.`;
const TOO_MANY = 'Too many requests of this tenant wait for a decision. Have some of them decided, then try again.';

/** Final: it is not asked for again within a day. */
function rejected(id: string, reason: string | null, fields: Record<string, unknown>): WeirError {
  const why = reason === null ? '' : ` The reason: ${reason}`;
  return new WeirError('cost_limit_exceeded', {
    message: `The request is beyond a budget, and the approval ${id} was rejected.${why}`,
    fields: { ...fields, approval_id: id, state: 'rejected' },
  });
}

const bytesOf = ({ prompt }: Call): number => prompt.source?.text.length ?? 0;

const unix = (date: Date | null): number | null => date && Math.floor(date.getTime() / 1000);
