import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageCounting } from '../../dialects/index.js';
import { publicId } from '../../kernel/ids.js';
import { rulesOf } from '../../model-rules/index.js';
import { Router } from '../../routing/index.js';
import { guessOf, inputSize } from '../input-size.js';
import { permitted } from '../policy/index.js';
import { countedTokens } from '../refine-input.js';
import { Relay } from '../relay.js';
import { Inference } from './inference.js';

/** As the ledger names it. */
const ENDPOINT = 'messages.count_tokens';

/** `POST /v1/messages/count_tokens`: the provider's own count where it has one, else Weir's estimate, which calls nobody. */
@Injectable()
export class MessageCounting {
  constructor(
    private readonly router: Router,
    private readonly relay: Relay,
    private readonly inference: Inference,
  ) {}

  handle = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const call = await this.inference.read(request, ENDPOINT, messageCounting);
    const { caller, prompt } = call;
    const plan = this.router.plan(caller, call.planned);
    const [planned] = plan.targets;
    const { target } = planned;
    if (target.dialects.includes('anthropic-messages')) return this.inference.run(request, reply, call, plan);
    permitted(prompt, ENDPOINT, caller.tenantId, target);
    const id = publicId('call', call.id);
    reply.headers({ 'x-request-id': id, [messageCounting.errors!.idHeader]: id });
    return this.relay.answer(call, planned, async () => {
      const size = await inputSize(prompt, target);
      const tokens = await countedTokens(
        caller.tenantId,
        prompt,
        rulesOf(target.modelRulesOf ?? target.model).encoding ?? 'o200k_base',
        AROUND,
      );
      return { input_tokens: tokens === null ? guessOf(size) : tokens + size.mediaTokens };
    });
  };
}

/** Quotes and the like, added for each name and value. */
const AROUND = 1;
