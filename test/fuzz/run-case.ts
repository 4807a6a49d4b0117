import { DIALECTS, type DialectName, type ReplyHeaders, type StreamReader, type SurfaceName } from '../../src/dialects/dialect.js';
import {
  type CallFormat,
  type CallRequest,
  embeddings,
  messageCounting,
  type ReplyFacts,
  type Translation,
} from '../../src/dialects/index.js';
import type { Quirks } from '../../src/dialects/quirks.js';
import { conversationIn } from '../../src/dialects/registry.js';
import { parseBody } from '../../src/gateway/request-body.js';
import { WeirError } from '../../src/kernel/errors.js';
import { atOnce } from '../../src/kernel/slices.js';
import { THINKING_LEVELS, type ThinkingLevel } from '../../src/kernel/thinking.js';
import { NO_USAGE, type Usage } from '../../src/kernel/usage.js';
import type { Random } from '../support/random.js';
import type { Framing } from './frames.js';
import { chunksOf } from './mutate.js';
import type { Turns } from './turns.js';

export type FormatName = SurfaceName | 'embeddings' | 'counting';
/** How a reply is read: for a client that streams or not, of a provider that streams or not; or as a refusal. */
export type Reading = 'stream' | 'whole' | 'folded' | 'from-whole' | 'refusal';

/** One call: what the client sends and what the provider answers, both perhaps nonsense. */
export interface Case {
  format: FormatName;
  dialect: DialectName;
  /** The id as the provider knows it. */
  model: string;
  quirks: Quirks;
  level: ThinkingLevel | null;
  request: Buffer;
  reading: Reading;
  reply: Buffer;
  headers: ReplyHeaders;
  status: number;
  maxOutputTokens: number;
}

/** What must never happen. */
class Violation extends Error {}

const violated = (what: string): never => {
  throw new Violation(what);
};
function must(holds: boolean, what: () => string): void {
  if (!holds) violated(what());
}

export const framingOf = (dialect: DialectName): Framing =>
  dialect === 'ollama' ? 'ndjson' : dialect === 'bedrock-converse' ? 'aws' : 'sse';

const formatNamed = (name: FormatName): CallFormat =>
  name === 'embeddings' ? embeddings : name === 'counting' ? messageCounting : conversationIn(name);

/** How far a case came: `refused` requests and `unreadable` replies are as good as the rest. */
export type Ending = 'refused' | 'unreadable' | 'read';

/** @throws Violation, or what the code under test threw and must not. */
export function runCase(one: Case, random: Random, turns: Turns): Ending {
  const format = formatNamed(one.format);
  const asked = ask(one, format, turns);
  return asked === null ? 'refused' : hear(one, asked.prompt, asked.translation, random, turns);
}

function ask(one: Case, format: CallFormat, turns: Turns): { prompt: CallRequest; translation: Translation } | null {
  try {
    const { json, bytes } = turns.turn(() => parseBody(one.request));
    const prompt = turns.turn(() => format.decodeRequest(json, bytes));
    checkPrompt(prompt);
    const before = JSON.stringify(prompt.body);
    const spoken = { dialects: [one.dialect], thinkingLevel: one.level, quirks: one.quirks };
    const open = () => format.open(prompt, spoken, { id: 'abc1', createdAt: 1, model: one.model });
    const rewrite = { model: one.model, maxOutputTokens: one.maxOutputTokens, thinkingLevel: one.level, quirks: one.quirks };
    const { translation, dialect, sent } = turns.turn(() => {
      const opened = open();
      return { ...opened, sent: opened.translation.encodeRequest(rewrite) };
    });
    must(DIALECTS.includes(dialect), () => `opened a way to ${dialect}`);
    must(isObject(JSON.parse(sent.body)), () => 'the request is no JSON object');
    must(/^\/[\x21-\x7e]*$/.test(sent.path) && !sent.path.split(/[/?]/).includes('..'), () => `the request goes to ${sent.path}`);
    must(
      sent.headers.every((text) => /^[\x20-\x7e]*$/.test(text)),
      () => 'a header is not printable',
    );
    must(sent.thinkingLevel === null || THINKING_LEVELS.includes(sent.thinkingLevel), () => `the level is ${sent.thinkingLevel}`);
    must(
      sent.warnings.every((text) => typeof text === 'string'),
      () => 'a warning is no text',
    );
    must(open().translation.encodeRequest(rewrite).body === sent.body, () => 'the same request gave other bytes');
    must(JSON.stringify(prompt.body) === before, () => 'what the client sent was changed in place');
    return { prompt, translation };
  } catch (error) {
    if (!(error instanceof WeirError)) throw error;
    must(error.code === 'invalid_request' || error.code === 'invalid_json', () => `a request was refused with ${error.code}`);
    JSON.parse(JSON.stringify(format.encodeError(error)));
    return null;
  }
}

const STORABLE = /^[^\p{Cc}\p{Cs}]{1,256}$/u;

function checkPrompt({ model, endUser, maxOutputTokens, choices, stream, includeUsage, inputTokensBound }: CallRequest): void {
  must(model === null || STORABLE.test(model), () => `the model is ${JSON.stringify(model)}`);
  must(endUser === null || STORABLE.test(endUser), () => `the user is ${JSON.stringify(endUser)}`);
  must(
    maxOutputTokens === null || (Number.isSafeInteger(maxOutputTokens) && maxOutputTokens >= 0),
    () => `the limit is ${maxOutputTokens}`,
  );
  must(Number.isSafeInteger(choices) && choices >= 1 && choices <= 128, () => `there are ${choices} choices`);
  must(typeof stream === 'boolean' && typeof includeUsage === 'boolean', () => `stream is ${stream}, the wish for usage ${includeUsage}`);
  must(Number.isSafeInteger(inputTokensBound) && inputTokensBound >= 0, () => `the bound is ${inputTokensBound}`);
}

function hear(one: Case, prompt: CallRequest, translation: Translation, random: Random, turns: Turns): Ending {
  const { streams } = translation;
  const { reply, headers } = one;
  if (one.reading === 'refusal' || (one.reading !== 'whole' && !streams)) {
    checkRefusal(turns.turn(() => translation.decodeRefusal(one.status, reply, headers)));
    return 'read';
  }
  if (one.reading === 'stream') {
    const read = () => readStream(streams!.read(one.maxOutputTokens * prompt.choices), one, random, turns);
    const [first, second] = [read(), read()];
    // Behind the limit and in the same chunk may be what cannot be read.
    const may = first.ending !== 'read' || first.overLimit;
    must(may || first.said === second.said, () => 'cut in another way, the stream says something else');
    return first.ending;
  }
  if (one.reading === 'from-whole') {
    const reader = attempt(() => turns.turn(() => streams!.readFromWhole(reply, headers)));
    return reader === null ? 'unreadable' : readStream(reader, { ...one, reply: Buffer.alloc(0) }, random, turns).ending;
  }
  const read = () => atOnce(one.reading === 'whole' ? translation.readWhole(reply, headers) : streams!.fold(reply));
  const whole = attempt(() => turns.turn(read));
  if (whole === null) return 'unreadable';
  checkFacts(whole.facts);
  if (whole.refusal) {
    checkRefusal(whole.refusal);
    return 'read';
  }
  const rendered = turns.turn(() => whole.render(whole.facts.usage ?? NO_USAGE));
  if (typeof rendered === 'string') must(isObject(JSON.parse(rendered)), () => 'the answer is no JSON object');
  return 'read';
}

/** `said`: all that the client gets, and what is booked. */
function readStream(reader: StreamReader, one: Case, random: Random, turns: Turns): { ending: Ending; said: string; overLimit: boolean } {
  let out = '';
  let ending: Ending = 'read';
  const take = (pieces: Buffer[]) => {
    for (const piece of pieces) out += piece.toString('latin1');
  };
  const went = attempt(() => {
    for (const chunk of chunksOf(one.reply, random)) {
      const pieces = turns.turn(() => {
        const pushed = atOnce(reader.push(chunk));
        reader.takeProgress();
        return pushed;
      });
      take(pieces);
      if (reader.refusal || reader.overLimit) return true;
    }
    take(turns.turn(() => atOnce(reader.finish())));
    return true;
  });
  checkFacts(reader.facts);
  if (reader.refusal) checkRefusal(reader.refusal);
  const translated = one.format !== one.dialect || one.quirks.nativeTools === false || one.reading === 'from-whole';
  let last: string;
  if (went && reader.complete) last = reader.tail(reader.facts.usage ?? NO_USAGE, 0.001).toString('latin1');
  else {
    ending = 'unreadable';
    last = reader.failure(new WeirError('upstream_interrupted')).toString('latin1');
  }
  if (translated) checkSse(out + last);
  else if (ending === 'unreadable') checkSse(last);
  return { ending, said: `${out}${last}${JSON.stringify(reader.facts)}`, overLimit: reader.overLimit };
}

/** Null: it cannot be read, and was told so in the way it should be. */
function attempt<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch (error) {
    const { constructor: kind, message } = error as Error;
    if (kind.name === 'ProviderRefusal' || kind.name === 'NoAnswer') return null;
    if (kind.name === 'SyntaxError' && message.includes('JSON')) return null;
    if (kind.name === 'Error' && !(error as { code?: unknown }).code) return null;
    throw error;
  }
}

const CLASSES = [
  'auth',
  'billing',
  'rate_limit',
  'model_not_found',
  'context_length',
  'too_large',
  'unprocessable',
  'bad_request',
  'timeout',
  'overloaded',
  'failed_answer',
  'server',
];

function checkRefusal(refusal: { class: string; message: string | null; retryAfterSeconds?: number }): void {
  must(CLASSES.includes(refusal.class), () => `a refusal has the class ${refusal.class}`);
  const { message, retryAfterSeconds: wait = 0 } = refusal;
  must(message === null || (typeof message === 'string' && message.length <= 500), () => 'a refusal has a message that is too long');
  must(Number.isFinite(wait) && wait >= 0, () => `a refusal says to wait ${wait} s`);
}

function checkFacts(facts: ReplyFacts): void {
  const { usage, usageRaw, finishReason, servedModel, outputBytes, outputPieces } = facts;
  if (usage) checkUsage(usage);
  JSON.stringify(usageRaw);
  must(finishReason === null || typeof finishReason === 'string', () => 'the reason is no text');
  must(servedModel === null || typeof servedModel === 'string', () => 'the model is no text');
  must(Number.isSafeInteger(outputBytes) && outputBytes >= 0, () => `${outputBytes} bytes of output`);
  must(Number.isSafeInteger(outputPieces) && outputPieces >= 0, () => `${outputPieces} pieces of output`);
}

function checkUsage({ reasoning, ...counts }: Usage): void {
  for (const [name, count] of Object.entries(counts))
    must(Number.isSafeInteger(count) && count >= 0 && count <= 1e13, () => `usage: ${name} is ${count}`);
  must(Object.keys(counts).length === Object.keys(NO_USAGE).length - 1, () => `usage: it has ${Object.keys(counts)}`);
  must(reasoning === null || (Number.isSafeInteger(reasoning) && reasoning >= 0), () => `usage: reasoning is ${reasoning}`);
}

/** What a client of any stream relies on: whole events, their data JSON or the terminator, which is last. */
function checkSse(latin1: string): void {
  const text = Buffer.from(latin1, 'latin1').toString();
  if (text === '') return;
  must(text.endsWith('\n\n'), () => 'the stream ends within an event');
  const events = text.slice(0, -2).split('\n\n');
  events.forEach((event, index) => {
    const data = /^(?:event: [\w.]+\n)?data: ([^\r\n]*)$/.exec(event)?.[1];
    must(data !== undefined, () => `an event is not well-formed: ${event.slice(0, 200)}`);
    if (data === '[DONE]') must(index === events.length - 1, () => 'something follows the end of the stream');
    else must(isObject(JSON.parse(data!)), () => 'an event is no JSON object');
  });
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
