import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CallerDirectory } from '../../api-keys/index.js';
import { openaiChat } from '../../dialects/index.js';
import { publicId } from '../../kernel/ids.js';
import { Call } from '../call.js';
import { Relay } from '../relay.js';
import { Reply } from '../reply.js';
import { parseBody } from '../request-body.js';
import { verifyCall } from './surface.js';

/** `POST /v1/chat/completions` */
@Injectable()
export class ChatCompletions {
  constructor(
    private readonly callers: CallerDirectory,
    private readonly relay: Relay,
  ) {}

  /** Takes the socket over from Fastify once the request is understood; what is refused before that goes through its error handler. */
  handle = (request: FastifyRequest, reply: FastifyReply): void => {
    const { caller, options } = verifyCall(this.callers, request);
    const bytes = request.body as Buffer;
    const prompt = openaiChat.decodeRequest(parseBody(bytes), bytes.length);
    const call = new Call('chat.completions', openaiChat, caller, prompt, options);
    reply.hijack();
    void this.relay.run(call, new Reply(reply.raw, openaiChat, publicId('call', call.id)));
  };
}
