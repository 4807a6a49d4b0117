import type { WeirError } from '../../kernel/errors.js';
import type { ReplyEvent } from '../canonical.js';
import type { ReplyIdentity, StreamEncoder, StreamEnd } from '../dialect.js';
import { Fold } from '../kit/fold.js';
import { writeJson } from '../kit/json.js';
import { encodeError } from '../openai-chat/errors.js';
import { encodeMessage } from '../openai-chat/surface/answer.js';
import { EMPTY_CHOICE, encodeCalls, encodeUsage, replyId } from './reply.js';

/** Writes the events of `/v1/chat/complete`. */
export class ChatCompleteStreamEncoder implements StreamEncoder {
  private readonly whole = new Fold();

  constructor(private readonly identity: ReplyIdentity) {}

  push(event: ReplyEvent): string {
    this.whole.add(event);
    switch (event.type) {
      case 'text':
      case 'reasoning':
      case 'refusal':
        return event.text === '' ? '' : delta({ [event.type]: event.text });
      case 'image':
        return delta({ image: { media_type: event.mediaType, data: event.data } });
      case 'annotation':
        return delta({ citation: { url: event.annotation.url, title: event.annotation.title } });
      // Calls are told whole, at the end.
      case 'tool_call':
      case 'arguments':
      case 'start':
      case 'reasoning_state':
      case 'logprobs':
      case 'other':
      case 'usage':
      case 'finish':
        return '';
    }
  }

  end({ finishes, usage, costUsd }: StreamEnd): string {
    const { model, choices } = this.whole.answer();
    const choice = choices[0] ?? EMPTY_CHOICE;
    const calls = encodeCalls(choice.parts).map((call) => encode('tool_call', call));
    const used = encode('usage', { ...encodeUsage(usage), cost_usd: costUsd });
    const ends = finishes.map(({ reason, native }) =>
      encode('finish', {
        id: replyId(this.identity),
        model: model ?? this.identity.model,
        reason,
        native_reason: native,
        message: encodeMessage(choice),
      }),
    );
    return [...calls, used, ...ends].join('');
  }

  fail(error: WeirError): string {
    return encode('error', encodeError(error));
  }
}

const delta = (said: object): string => encode('delta', said);

const encode = (type: string, fields: object): string => `event: ${type}\ndata: ${writeJson({ type, ...fields })}\n\n`;
