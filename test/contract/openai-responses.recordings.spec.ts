import { ResponseStream } from 'openai/lib/responses/ResponseStream';
import type { AnswerPart, ReplyEvent } from '../../src/dialects/canonical.js';
import { type CallRequest, ProviderRefusal, type UpstreamParams } from '../../src/dialects/dialect.js';
import { fold } from '../../src/dialects/kit/fold.js';
import { frameReader } from '../../src/dialects/kit/frames.js';
import { openaiResponses, responsesSurface, responsesVerbatim } from '../../src/dialects/openai-responses/index.js';
import { atOnce } from '../../src/kernel/slices.js';
import { NO_USAGE } from '../../src/kernel/usage.js';
import { bytesOf, eachRecording, RECORDINGS, type Recording } from '../support/recordings.js';

const all = RECORDINGS.filter(({ api }) => api === 'responses');
const streams = all.filter(({ stream, http_status }) => stream && http_status === 200);
const wholes = all.filter(({ stream, http_status }) => !stream && http_status === 200);

/** Some files hold the replies of a whole conversation one behind the other: the last is what is expected. */
function lastReply(text: string): string {
  const starts = [...text.matchAll(/(?:^event: response\.created\r?\n)?^data: ?\{[^\n]*"type": ?"response\.created"/gm)];
  return text.slice(starts.at(-1)?.index ?? 0);
}

const streamOf = ({ files }: Recording): Buffer => Buffer.from(lastReply(bytesOf(files.response).toString()));

function read(bytes: Buffer, size: number): { events: ReplyEvent[]; complete: boolean } {
  const decoder = openaiResponses.streamDecoder();
  const frames = frameReader('sse');
  const events: ReplyEvent[] = [];
  const visit: Parameters<typeof frames.push>[1] = (frame) => void events.push(...decoder.push(frame));
  for (let at = 0; at < bytes.length; at += size) frames.push(bytes.subarray(at, at + size), visit);
  frames.finish(visit);
  events.push(...decoder.end());
  return { events, complete: decoder.complete };
}

const partsOf = <Type extends AnswerPart['type']>(parts: AnswerPart[], type: Type) =>
  parts.filter((part): part is Extract<AnswerPart, { type: Type }> => part.type === type);

/** What the events say, in the words of the recordings. */
function summary(events: ReplyEvent[]) {
  const { id, model, choices } = fold(events);
  const { parts, finish } = choices[0]!;
  const usage = events.findLast((event) => event.type === 'usage')?.usage;
  const reasoning = partsOf(parts, 'reasoning');
  return {
    id,
    model,
    finish,
    text: partsOf(parts, 'text')
      .map(({ text }) => text)
      .join(''),
    reasoning: reasoning.map(({ text }) => text).join(''),
    signatures: reasoning.filter(({ signature }) => signature !== null).length,
    calls: partsOf(parts, 'tool_call').map((call) => ({ id: call.id, name: call.name, arguments: JSON.parse(call.arguments) })),
    usage: usage && [usage.input, usage.cacheRead, usage.cacheWrite5m, usage.output, usage.reasoning],
  };
}

function expected({ expected: one }: Recording): ReturnType<typeof summary> {
  const { usage } = one;
  return {
    id: one.upstream_id ?? null,
    model: one.upstream_model ?? null,
    finish: one.finish_reason_openai as never,
    text: one.text ?? '',
    reasoning: one.reasoning_text ?? '',
    signatures: one.reasoning_signatures ?? 0,
    calls: (one.tool_calls ?? []) as never,
    usage: usage
      ? [usage.input_uncached ?? 0, usage.cache_read ?? 0, usage.cache_write ?? 0, usage.output_total ?? 0, usage.reasoning]
      : null,
  };
}

describe('a recorded response says what it says', () => {
  eachRecording(wholes, (one) => {
    expect(summary(openaiResponses.decodeAnswer(bytesOf(one.files.response), {}))).toEqual(expected(one));
  });
});

const crlf = (bytes: Buffer) => Buffer.from(bytes.toString().replace(/\r?\n/g, '\r\n'));
const commented = (bytes: Buffer) => Buffer.from(bytes.toString().replace(/\n\n/g, '\n\n: keepalive\n\n'));
const unended = (bytes: Buffer) => Buffer.from(bytes.toString().trimEnd());

describe('a recorded stream says the same in pieces of any size', () => {
  eachRecording(streams, (one) => {
    const bytes = streamOf(one);
    for (const variant of [bytes, crlf(bytes), commented(bytes), unended(bytes)]) {
      for (const size of [1, 2, 3, 7, 16, 1024, variant.length]) {
        const { events, complete } = read(variant, size);
        expect(complete).toBe(true);
        expect(summary(events)).toEqual(expected(one));
      }
    }
  });
});

describe('a stream cut before its last event is not complete', () => {
  eachRecording(streams, (one) => {
    const text = streamOf(one).toString();
    for (const at of [0.2, 0.5, 0.9].map((share) => Math.floor(text.indexOf('"response.completed"') * share))) {
      const whole = text.slice(0, text.lastIndexOf('\n\n', at) + 2);
      const { events, complete } = read(Buffer.from(whole), 16);
      expect(complete).toBe(false);
      expect(events.some(({ type }) => type === 'finish')).toBe(false);
    }
  });
});

describe('a recorded stream and the response at its end agree', () => {
  eachRecording(streams, (one) => {
    const last = streamOf(one)
      .toString()
      .split(/\r?\n/)
      .findLast((line) => line.startsWith('data:') && line.includes('"response.completed"'))!;
    const whole = openaiResponses.decodeAnswer(Buffer.from(JSON.stringify(JSON.parse(last.slice(5)).response)), {});
    const { reasoning, ...facts } = summary(read(streamOf(one), 1024).events);
    expect(summary(whole)).toMatchObject(facts);
    expect(summary(whole).reasoning).toBe(reasoning);
  });
});

describe('a recorded error is a refusal with its sentence', () => {
  eachRecording(
    all.filter(({ http_status }) => http_status !== 200),
    (one) => {
      const body = bytesOf(one.files.response);
      const { message, class: kind } = openaiResponses.decodeRefusal(one.http_status, body, {});
      expect(message).toBe((one.expected.error as { message: string }).message);
      expect(kind).toBe('bad_request');
      expect(() => openaiResponses.decodeAnswer(body, {})).toThrow(ProviderRefusal);
    },
  );
});

// ---- what clients get ------------------------------------------------------------------------------------------------------------------

const PROMPT: CallRequest = responsesSurface.decodeRequest({ model: 'p/m', input: 'hello', stream: true }, 10);
const IDENTITY = { id: 'abc', createdAt: 1_700_000_000, model: 'm' };
const USAGE = { ...NO_USAGE, input: 1, cacheRead: 2, cacheWrite5m: 3, cacheWrite1h: 0, output: 5, reasoning: 4 };

/** Our stream for a client, of the events of a reply. */
function rendered(events: ReplyEvent[]): string {
  const encoder = responsesSurface.streamEncoder(PROMPT, IDENTITY);
  const finishes = events.filter((event) => event.type === 'finish');
  const content = events.filter((event) => event.type !== 'finish' && event.type !== 'usage');
  return content.map((event) => encoder.push(event)).join('') + encoder.end({ finishes, usage: USAGE, usageRaw: null, costUsd: null });
}

const jsonLines = (sse: string): ReadableStream =>
  new Blob(
    sse
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => `${line.slice(6)}\n`),
  ).stream();

describe('the official SDK reads our stream of every recorded reply', () => {
  eachRecording([...streams, ...wholes], async (one) => {
    const events = one.stream ? read(streamOf(one), 1024).events : openaiResponses.decodeAnswer(bytesOf(one.files.response), {});
    const sse = rendered(events);
    const response = await ResponseStream.fromReadableStream(jsonLines(sse)).finalResponse();
    expect(response.output_text).toBe(one.expected.text);
    const calls = response.output.filter((item) => item.type === 'function_call');
    expect(calls.map(({ call_id, name, arguments: args }) => ({ id: call_id, name, arguments: JSON.parse(args) }))).toEqual(
      one.expected.tool_calls,
    );
    // What we wrote is what we would read.
    const again = summary(read(Buffer.from(sse), 64).events);
    const { usage: _usage, id: _id, ...facts } = summary(events);
    expect(again).toMatchObject(facts);
  });
});

describe('a verbatim stream passes byte for byte, its tail last', () => {
  eachRecording(streams, (one) => {
    const bytes = streamOf(one);
    const reader = responsesVerbatim.streamReader!(PROMPT, 100_000);
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 1000) out.push(...atOnce(reader.push(bytes.subarray(at, at + 1000))));
    out.push(...atOnce(reader.finish()));
    expect(Buffer.concat(out).includes('"type":"response.completed"')).toBe(false);
    expect(reader.complete).toBe(true);
    out.push(reader.tail(USAGE, null));
    expect(Buffer.concat(out).toString().trimEnd()).toBe(bytes.toString().trimEnd());
    expect(reader.facts.usageRaw).not.toBeNull();
  });
});

// ---- what providers get ----------------------------------------------------------------------------------------------------------------

type Item = Record<string, unknown>;

/** Ids of items are dropped, and the parts of a summary joined: nothing else may be lost or changed. */
function comparable(items: Item[]): unknown {
  return items.map((item) => {
    const { id: _id, status: _status, ...rest } = item;
    if (item['type'] === 'reasoning') return { ...rest, summary: (rest['summary'] as Item[]).map(({ text }) => text).join('\n\n') };
    if (!Array.isArray(rest['content'])) return rest;
    const content = rest['content'].map(({ annotations: _annotations, logprobs: _logprobs, ...part }: Item) => part);
    return { ...rest, content, ...('role' in rest && rest['role'] === 'assistant' && { type: 'message' }) };
  });
}

describe('a recorded request read by us goes out with the same items, in their order', () => {
  eachRecording(
    all.filter(({ files, http_status }) => files.request && http_status === 200),
    (one) => {
      const request = JSON.parse(bytesOf(one.files.request!).toString());
      const rewrite: UpstreamParams = { model: request.model, maxOutputTokens: 1000, thinkingLevel: null, quirks: {} };
      const { previous_response_id: _state, ...stateless } = request;
      const conversation = responsesSurface.decodeConversation(responsesSurface.decodeRequest(stateless, 1000));
      const { body, reply } = openaiResponses.encodeRequest(conversation, rewrite);
      const sent = JSON.parse(body);
      expect(comparable(sent.input)).toEqual(comparable(request.input));
      expect(sent.instructions ?? '').toBe(request.instructions ?? '');
      expect(sent.tools).toEqual(
        request.tools?.map(({ description, ...tool }: Item) => (description === null ? tool : { ...tool, description })),
      );
      expect(sent.tool_choice).toEqual(request.tool_choice);
      expect(sent.reasoning?.effort).toBe(request.reasoning?.effort);
      expect(sent.store).toBe(false);
      expect(reply.toolNames.size).toBe(0);
      expect(openaiResponses.encodeRequest(conversation, rewrite).body).toBe(body);
    },
  );
});
