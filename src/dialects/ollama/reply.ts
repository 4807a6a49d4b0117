import { NO_USAGE } from '../../kernel/usage.js';
import type { FinishReason, ReplyEvent } from '../canonical.js';
import { type Frame, NoAnswer, ProviderRefusal, type Refusal, type RefusalClass, type StreamDecoder } from '../dialect.js';
import { argumentsText } from '../kit/arguments-text.js';
import { isObject, type JsonObject, listOf, objectOf, parsed, readJson, textOf } from '../kit/json.js';
import { classOfStatus, refusalMessage } from '../kit/refusals.js';
import { tokenCount } from '../kit/token-count.js';

const CHOICE = 0;
const BLOCK = 0;

/** Reads a whole reply: it has the form of a stream's last line. */
export function decodeAnswer(body: Buffer): ReplyEvent[] {
  const decoder = new OllamaDecoder();
  const events = decoder.push({ event: null, data: body.toString() });
  if (!decoder.complete) {
    const told = events.find((event) => event.type === 'usage');
    throw new NoAnswer('the reply is not done', told?.usage ?? null, told?.raw);
  }
  return events;
}

/** Reads the lines of a stream, of which the last says `done`. */
export class OllamaDecoder implements StreamDecoder {
  complete = false;
  private started = false;
  private calls = 0;

  push({ data }: Frame): ReplyEvent[] {
    const line: unknown = readJson(data);
    if (!isObject(line)) throw new Error('the line is no JSON object');
    if (line['error'] !== undefined) throw new ProviderRefusal(refusalOf(500, line['error']));
    if (this.complete) return [];
    const events = [...this.start(line), ...this.message(objectOf(line['message']))];
    if (line['done'] !== true) return [...events, ...usageEvents(line, false)];
    this.complete = true;
    return [...events, ...usageEvents(line, true), finishEvent(textOf(line['done_reason']))];
  }

  end(): ReplyEvent[] {
    return [];
  }

  private start(line: JsonObject): ReplyEvent[] {
    if (this.started) return [];
    this.started = true;
    return [{ type: 'start', id: null, model: textOf(line['model']) }];
  }

  private message({ thinking, content, tool_calls }: JsonObject): ReplyEvent[] {
    const events: ReplyEvent[] = [];
    if (typeof thinking === 'string' && thinking !== '') events.push({ type: 'reasoning', choice: CHOICE, block: BLOCK, text: thinking });
    if (typeof content === 'string' && content !== '') events.push({ type: 'text', choice: CHOICE, text: content });
    for (const value of listOf(tool_calls)) events.push(...this.toolCall(objectOf(value)));
    return events;
  }

  /** A call comes whole, and without an id from all but the newest servers. */
  private toolCall(value: JsonObject): ReplyEvent[] {
    const called = objectOf(value['function']);
    const call = this.calls++;
    return [
      { type: 'tool_call', choice: CHOICE, call, id: textOf(value['id']), name: textOf(called['name']) ?? '' },
      { type: 'arguments', choice: CHOICE, call, text: argumentsText(called['arguments']) },
    ];
  }
}

const COUNTS = ['total_duration', 'load_duration', 'prompt_eval_count', 'prompt_eval_duration', 'eval_count', 'eval_duration'] as const;

/** A count of zero is left out, as when the whole prompt was still in memory; with neither there is no report. */
function usageEvents(line: JsonObject, final: boolean): ReplyEvent[] {
  const raw = Object.fromEntries(COUNTS.filter((name) => line[name] !== undefined).map((name) => [name, line[name]]));
  const [prompt, evaluated] = [tokenCount(line['prompt_eval_count']), tokenCount(line['eval_count'])];
  if (prompt === null && evaluated === null) return [];
  const input = prompt ?? 0;
  const output = evaluated ?? 0;
  const sane = !Number.isNaN(input) && !Number.isNaN(output);
  const usage = sane ? { ...NO_USAGE, input, output } : null;
  return [{ type: 'usage', usage, raw, final }];
}

/** `load` and `unload` end a reply that only moved the model. */
function finishEvent(native: string | null): ReplyEvent {
  const reason: FinishReason = native === 'length' ? 'length' : 'stop';
  return { type: 'finish', choice: CHOICE, reason, native };
}

/** Reads an error reply; total, whatever the body is. */
export function decodeRefusal(status: number, body: Buffer): Refusal {
  return refusalOf(status, objectOf(parsed(body.toString()))['error']);
}

/** @param error a sentence, or an object with one. */
function refusalOf(status: number, error: unknown): Refusal {
  const message = refusalMessage(isObject(error) ? error['message'] : error);
  return { class: classOf(status, message ?? ''), message };
}

function classOf(status: number, message: string): RefusalClass {
  if (/^model .* not found/i.test(message)) return 'model_not_found';
  if (status < 500 && /context (?:length|window)|exceeds? .*context/i.test(message)) return 'context_length';
  return classOfStatus(status);
}
