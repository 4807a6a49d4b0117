import { WeirError } from '../../kernel/errors.js';
import { isObject } from '../kit/json.js';

/** Refuses a message thread as Anthropic does: its clients send the conversation again, whole and without "thread", when they are told so. */
export const threadUnsupported = (why: string): WeirError =>
  new WeirError('invalid_request', {
    param: 'thread',
    message: `${why} Send the whole conversation without "thread".`,
    fields: { details: { error_code: 'thread_unsupported_request', unsupported: ['thread'] } },
  });

/** @throws WeirError invalid_request where a request is part of a thread, for providers that keep none. */
export function refuseThread(body: Readonly<Record<string, unknown>>): void {
  if (body['thread'] !== undefined && body['thread'] !== null) throw threadUnsupported('This provider keeps no message threads.');
}

/** The request goes on with a conversation that lies with the provider. */
export const continuesThread = ({ thread }: Readonly<Record<string, unknown>>): boolean =>
  isObject(thread) && thread['type'] === 'continue';
