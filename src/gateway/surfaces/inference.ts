import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallFormat } from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import { publicId } from '../../kernel/ids.js';
import { Egress } from '../../platform/egress/index.js';
import type { Plan } from '../../routing/index.js';
import { SessionBook } from '../../sessions/index.js';
import { statusFor } from '../agents.js';
import { takeModels } from '../asked-models.js';
import { Call } from '../call.js';
import { CallTraces } from '../call-trace.js';
import { IdempotentCalls } from '../idempotent-calls.js';
import { LocalInference } from '../local-inference.js';
import { ReasoningMemory } from '../reasoning-memory.js';
import { Relay } from '../relay.js';
import { Reply } from '../reply.js';
import { RequestAuth } from '../request-auth.js';
import { bodyOf } from '../request-body.js';
import type { Handler } from './surface.js';

/** The endpoints that make calls: each speaks a format of its own, and all take the same way through the relay. */
@Injectable()
export class Inference {
  constructor(
    private readonly auth: RequestAuth,
    private readonly local: LocalInference,
    private readonly relay: Relay,
    private readonly idempotent: IdempotentCalls,
    private readonly egress: Egress,
    private readonly memory: ReasoningMemory,
    private readonly sessions: SessionBook,
    private readonly traces: CallTraces,
  ) {}

  handler(endpoint: string, format: CallFormat): Handler {
    return async (request, reply) => {
      const call = await this.read(request, endpoint, format);
      const plan = this.auth.verify(request).isLocal ? this.local.plan(call) : undefined;
      const { idempotencyKey: key } = call.options;
      if (key === null) return this.run(request, reply, call, plan);
      void this.idempotent.run(call, this.takeOver(request, reply, call), key, bodyOf(request).text, plan);
    };
  }

  /** Rejects with a WeirError for what Fastify's error handler is to answer. */
  async read(request: FastifyRequest, endpoint: string, format: CallFormat): Promise<Call> {
    const { caller, options, isLocal } = this.auth.verify(request);
    if (this.egress.name !== null && options.via?.includes(this.egress.name)) throw new WeirError('loop_detected');
    const { tenantId, projectId, hasSessions } = caller;
    const mayHave = hasSessions && options.session !== null;
    const session = mayHave ? await this.sessions.defaults({ tenantId, projectId, id: options.session! }) : null;
    const { json, bytes, text } = bodyOf(request);
    const fallbacks = takeModels(endpoint, json);
    const decoded = format.decodeRequest(json, bytes);
    const recalled = format.recallItems?.(decoded, this.memory.itemsOf(tenantId)) ?? decoded;
    const source = { text, value: decoded.body };
    const { betas, anthropicVersion } = options;
    const dropUnsupported = options.dropUnsupported || caller.dropsUnsupported;
    const named = recalled.model === null ? fallbacks : [{ name: recalled.model, param: 'model' }, ...fallbacks];
    const models = isLocal ? [{ name: this.local.reference(caller), param: 'model' }] : named;
    const prompt = { ...recalled, source, betas, anthropicVersion, dropUnsupported };
    const call = new Call(endpoint, format, caller, prompt, options, models, session);
    call.refusal = () => this.auth.refusal(request);
    call.isLocal = isLocal;
    return call;
  }

  /** @param plan absent: it is still to be made. */
  run(request: FastifyRequest, reply: FastifyReply, call: Call, plan?: Plan): void {
    void this.relay.run(call, this.takeOver(request, reply, call), plan);
  }

  /** Takes the socket over from Fastify. */
  private takeOver(request: FastifyRequest, reply: FastifyReply, call: Call): Reply {
    reply.hijack();
    call.trace = this.traces.begin(call, request, this.auth.verify(request).arrivedAt);
    const statusOf = (error: WeirError) => statusFor(error, request.headers, call.format.errors);
    return new Reply(reply.raw, call.format, publicId('call', call.id), statusOf);
  }
}
