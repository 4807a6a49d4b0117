import { Injectable } from '@nestjs/common';
import { CallerDirectory } from '../../api-keys/index.js';
import type { CallFormat } from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import { publicId } from '../../kernel/ids.js';
import { Egress } from '../../platform/egress/index.js';
import { statusFor } from '../agents.js';
import { Call } from '../call.js';
import { ReasoningMemory } from '../reasoning-memory.js';
import { Relay } from '../relay.js';
import { Reply } from '../reply.js';
import { bodyOf } from '../request-body.js';
import { type Handler, verifyCall } from './surface.js';

/** The endpoints that make calls: each speaks a format of its own, and all take the same road. */
@Injectable()
export class Inference {
  constructor(
    private readonly callers: CallerDirectory,
    private readonly relay: Relay,
    private readonly egress: Egress,
    private readonly memory: ReasoningMemory,
  ) {}

  /** Takes the socket over from Fastify once the request is understood; what is refused before that goes through its error handler. */
  handler(endpoint: string, format: CallFormat): Handler {
    return (request, reply) => {
      const { caller, options } = verifyCall(this.callers, request);
      if (this.egress.name !== null && options.via?.includes(this.egress.name)) throw new WeirError('loop_detected');
      const { json, bytes, text } = bodyOf(request);
      const read = format.decodeRequest(json, bytes);
      const recalled = format.recallItems?.(read, this.memory.itemsOf(caller.tenantId)) ?? read;
      const source = { text, value: read.body };
      const { betas, anthropicVersion } = options;
      const dropUnsupported = options.dropUnsupported || caller.dropsUnsupported;
      const prompt = { ...recalled, source, betas, anthropicVersion, dropUnsupported };
      const call = new Call(endpoint, format, caller, prompt, options);
      reply.hijack();
      const statusOf = (error: WeirError) => statusFor(error, request.headers, format.errors);
      void this.relay.run(call, new Reply(reply.raw, format, publicId('call', call.id), statusOf));
    };
  }
}
