import type { Usage } from '../../kernel/usage.js';
import type { ReplyEvent } from '../canonical.js';
import type { Frame, StreamDecoder } from '../dialect.js';
import { isObject, type JsonObject, objectOf, readJson, writeJson } from '../kit/json.js';
import { ChatDecoder } from '../openai-chat/upstream/decoder.js';
import { isEmptyUsage, readUsage } from '../openai-chat/usage.js';
import { requireSuccess } from './errors.js';
import { isLegacy, isModern, messageOf } from './shapes.js';

const DONE: Frame = { event: null, data: '[DONE]' };

/** Reads a whole reply, in its envelope or without. */
export function decodeAnswer(body: Buffer): ReplyEvent[] {
  const reply = objectOf(readJson(body.toString()));
  requireSuccess(reply);
  const result = isObject(reply['result']) ? reply['result'] : reply;
  const isAnswer = isModern(result) || isLegacy(result);
  const answer = isModern(result) || !isAnswer ? result : { choices: [{ index: 0, message: messageOf(result, 0) }] };
  const events = new ChatDecoder().readAnswer(Buffer.from(writeJson(isAnswer ? { ...answer, usage: undefined } : answer)));
  const finishes = events.filter(({ type }) => type === 'finish');
  return [...events.filter(({ type }) => type !== 'finish'), ...new LargestUsage().read(result['usage'], true), ...finishes];
}

/** Reads a stream of either kind, or of both mixed. */
export class WorkersDecoder implements StreamDecoder {
  private readonly chat = new ChatDecoder();
  private readonly usage = new LargestUsage();
  private modern = false;
  private legacy = false;
  private calls = 0;

  get complete(): boolean {
    return this.chat.complete;
  }

  push(frame: Frame): ReplyEvent[] {
    if (frame.data.trim() === DONE.data) return [...this.usage.lastWord(), ...this.chat.push(DONE)];
    const reply = objectOf(readJson(frame.data));
    requireSuccess(reply);
    const { usage, ...said } = reply;
    const events = this.read(said);
    if (events.some(({ type }) => type !== 'start')) this.usage.goesOn();
    return [...events, ...this.usage.read(usage, this.chat.complete)];
  }

  end(): ReplyEvent[] {
    // Older models may end without a word.
    if (this.legacy && !this.modern) this.chat.push(DONE);
    return [...(this.complete ? this.usage.lastWord() : []), ...this.chat.end()];
  }

  private read(said: JsonObject): ReplyEvent[] {
    if (isModern(said)) this.modern = true;
    else if (isLegacy(said)) return this.readLegacy(said);
    return this.give(said);
  }

  private readLegacy(said: JsonObject): ReplyEvent[] {
    this.legacy = true;
    const delta = messageOf(said, this.calls);
    this.calls += (delta['tool_calls'] as unknown[]).length;
    return this.give({ choices: [{ index: 0, delta }] });
  }

  private give(chunk: JsonObject): ReplyEvent[] {
    return this.chat.pushChunk(chunk);
  }
}

/** Usage comes several times, once all zero, in either order: of each count the largest is right. */
class LargestUsage {
  private raw: JsonObject = {};
  /** The last count, until more of the answer follows it. */
  private counted: Usage | null = null;

  read(usage: unknown, final: boolean): ReplyEvent[] {
    if (!isObject(usage)) return [];
    this.raw = largest(this.raw, usage);
    const counted = readUsage(this.raw);
    if (isEmptyUsage(counted)) return [];
    this.counted = counted;
    return [{ type: 'usage', usage: counted, raw: this.raw, final }];
  }

  goesOn(): void {
    this.counted = null;
  }

  /** The answer is over: where nothing followed a count, it was the final one. */
  lastWord(): ReplyEvent[] {
    return this.counted ? [{ type: 'usage', usage: this.counted, raw: this.raw, final: true }] : [];
  }
}

function largest(before: JsonObject, now: JsonObject): JsonObject {
  const merged = { ...before };
  for (const [name, value] of Object.entries(now)) {
    const old = before[name];
    if (isObject(value)) merged[name] = largest(objectOf(old), value);
    else merged[name] = typeof old === 'number' && typeof value === 'number' ? Math.max(old, value) : (value ?? old);
  }
  return merged;
}
