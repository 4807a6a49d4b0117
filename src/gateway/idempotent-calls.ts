import { Inject, Injectable } from '@nestjs/common';
import { Claim, IdempotencyService } from '../idempotency/index.js';
import { publicId } from '../kernel/ids.js';
import { LedgerService } from '../ledger/index.js';
import { crashPoint } from '../platform/faults/index.js';
import { LOGGER, type Logger, logHotPath, Metrics } from '../platform/telemetry/index.js';
import { type Plan, Router } from '../routing/index.js';
import { AnswerRecorder } from './answer-recorder.js';
import type { Call } from './call.js';
import { policyOf } from './call-options.js';
import { Endings } from './endings.js';
import { Relay } from './relay.js';
import type { Reply } from './reply.js';

/** Calls with an `Idempotency-Key`: one of those with the same key takes the way through the relay. */
@Injectable()
export class IdempotentCalls {
  private replayed = 0;

  constructor(
    private readonly idempotency: IdempotencyService,
    private readonly router: Router,
    private readonly relay: Relay,
    private readonly endings: Endings,
    private readonly ledger: LedgerService,
    metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {
    metrics.watchTotal('weir_calls_replayed_total', 'Requests that got the kept answer of an earlier call.', () => this.replayed);
  }

  /** Never rejects. @param body as it was sent. @param known absent: it is still to be made. */
  async run(call: Call, reply: Reply, key: string, body: string, known?: Plan): Promise<void> {
    const { caller, options, endpoint } = call;
    let plan: Plan;
    let claim: Claim;
    try {
      // Before the claim: only a key that may use the model gets an answer of it.
      plan = known ?? this.router.plan(caller, call.planned);
      const begun = await this.idempotency.begin({
        callId: call.id,
        tenantId: caller.tenantId,
        apiKeyId: caller.apiKeyId,
        endpoint,
        key,
        body,
        policy: policyOf(options),
        gatewayId: this.ledger.gatewayId,
        keepsAnswers: caller.keepsAnswers,
      });
      if (!(begun instanceof Claim)) {
        reply.replay(begun);
        this.replayed++;
        call.trace?.end(200, null, { 'weir.replayed': true });
        const facts = {
          call: begun.headers['x-request-id'],
          tenant: publicId('tenant', caller.tenantId),
          key: publicId('apiKey', caller.apiKeyId),
          trace: call.trace?.id,
        };
        return logHotPath(this.log, facts, 'replayed');
      }
      claim = begun;
      crashPoint('claim_committed');
    } catch (error) {
      return this.endings.refuse(call, reply, error);
    }
    const recorder = new AnswerRecorder(claim);
    reply.recorder = recorder;
    await this.relay.run(call, reply, plan);
    await recorder.end();
  }
}
