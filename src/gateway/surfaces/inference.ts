import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CallerDirectory } from '../../api-keys/index.js';
import type { CallFormat } from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import { publicId } from '../../kernel/ids.js';
import { Egress } from '../../platform/egress/index.js';
import type { Plan } from '../../routing/index.js';
import { statusFor } from '../agents.js';
import { Call } from '../call.js';
import { ReasoningMemory } from '../reasoning-memory.js';
import { Relay } from '../relay.js';
import { Reply } from '../reply.js';
import { bodyOf } from '../request-body.js';
import { type Handler, verifyCall } from './surface.js';

/** The endpoints that make calls: each speaks a format of its own, and all take the same way through the relay. */
@Injectable()
export class Inference {
  constructor(
    private readonly callers: CallerDirectory,
    private readonly relay: Relay,
    private readonly egress: Egress,
    private readonly memory: ReasoningMemory,
  ) {}

  handler(endpoint: string, format: CallFormat): Handler {
    return (request, reply) => this.run(request, reply, this.read(request, endpoint, format));
  }

  /** @throws WeirError for what Fastify's error handler is to answer. */
  read(request: FastifyRequest, endpoint: string, format: CallFormat): Call {
    const { caller, options } = verifyCall(this.callers, request);
    if (this.egress.name !== null && options.via?.includes(this.egress.name)) throw new WeirError('loop_detected');
    const { json, bytes, text } = bodyOf(request);
    const decoded = format.decodeRequest(json, bytes);
    const recalled = format.recallItems?.(decoded, this.memory.itemsOf(caller.tenantId)) ?? decoded;
    const source = { text, value: decoded.body };
    const { betas, anthropicVersion } = options;
    const dropUnsupported = options.dropUnsupported || caller.dropsUnsupported;
    return new Call(endpoint, format, caller, { ...recalled, source, betas, anthropicVersion, dropUnsupported }, options);
  }

  /** Takes the socket over from Fastify. @param plan absent: it is still to be made. */
  run(request: FastifyRequest, reply: FastifyReply, call: Call, plan?: Plan): void {
    reply.hijack();
    const statusOf = (error: WeirError) => statusFor(error, request.headers, call.format.errors);
    void this.relay.run(call, new Reply(reply.raw, call.format, publicId('call', call.id), statusOf), plan);
  }
}
