import type { WeirError } from '../../kernel/errors.js';
import type { Dialect, Refusal, ReplyFacts } from '../dialect.js';
import { decodeRefusal, errorIn, refusalOf } from './errors.js';
import { decodeRequest, encodeRequest } from './request.js';
import { ChatStreamReader } from './stream.js';
import { findUsage, readUsage } from './usage.js';

interface Choice {
  finish_reason?: unknown;
  message?: { content?: unknown; reasoning_content?: unknown; tool_calls?: unknown };
}

/** OpenAI's `POST /v1/chat/completions`, spoken by clients and by most providers. Between the two nothing is lost. */
export const openaiChat: Dialect = {
  name: 'openai-chat',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  streamReader: (prompt, maxOutputTokens) => new ChatStreamReader(prompt, maxOutputTokens),
  decodeRefusal,
  encodeError,
  encodeStreamError: (error) => Buffer.from(`data: ${JSON.stringify(encodeError(error))}\n\n`),
};

function decodeResponse(body: Buffer): ReplyFacts & { refusal: Refusal | null } {
  const reply: unknown = JSON.parse(body.toString());
  const error = errorIn(reply);
  if (error) return { ...emptyFacts(), refusal: refusalOf(Number(error.status_code ?? error.status ?? error.code) || 500, error) };
  const { choices, model } = reply as { choices?: Choice[]; model?: unknown };
  if (!Array.isArray(choices)) throw new Error('the reply has no choices');
  const raw = findUsage(reply as Record<string, unknown>);
  const finish = choices[0]?.finish_reason;
  return {
    usage: readUsage(raw),
    usageRaw: raw,
    finishReason: typeof finish === 'string' ? finish : null,
    servedModel: typeof model === 'string' ? model : null,
    outputBytes: choices.reduce((bytes, { message }) => bytes + textBytes(message), 0),
    outputPieces: choices.length,
    refusal: null,
  };
}

const emptyFacts = (): ReplyFacts => ({
  usage: null,
  usageRaw: null,
  finishReason: null,
  servedModel: null,
  outputBytes: 0,
  outputPieces: 0,
});

function textBytes(message: Choice['message']): number {
  const texts = [message?.content, message?.reasoning_content].filter((text) => typeof text === 'string');
  const toolCalls = message?.tool_calls ? JSON.stringify(message.tool_calls).length : 0;
  return texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), toolCalls);
}

function encodeError(error: WeirError): object {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code, ...error.fields } };
}
