import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { anthropicMessages, messagesSurface, messagesVerbatim } from '../../src/dialects/anthropic-messages/index.js';
import type { Answer, ReplyEvent } from '../../src/dialects/canonical.js';
import type { UpstreamParams } from '../../src/dialects/dialect.js';
import { PLAIN_REPLY } from '../../src/dialects/dialect.js';
import { fold } from '../../src/dialects/kit/fold.js';
import { frameReader } from '../../src/dialects/kit/frames.js';
import { ReplyFilter } from '../../src/dialects/kit/reply-filter.js';
import { testsIfThere } from '../support/needs.js';

interface Case {
  id: string;
  api: string;
  stream: boolean;
  http_status: number;
  files: { request?: string; response: string };
  expected: {
    text: string;
    reasoning_text: string;
    reasoning_signatures: number;
    redacted_reasoning_blocks: number;
    tool_calls: { id: string | null; name: string; arguments: unknown }[];
    finish_reason_openai: string | null;
    finish_reason_native: string | null;
    upstream_id?: string;
    upstream_model?: string;
    error: { message?: string } | null;
    usage: Record<'input_total' | 'input_uncached' | 'cache_read' | 'cache_write' | 'output_total' | 'reasoning', number | null> | null;
  };
}

/** Recorded provider traffic lies beside the checkout, where it is there at all. */
const RECORDINGS = join(__dirname, '..', '..', '..', 'shared', 'fixtures');
const present = existsSync(join(RECORDINGS, 'index.json'));
const cases: Case[] = present
  ? JSON.parse(readFileSync(join(RECORDINGS, 'index.json'), 'utf8')).cases.filter((one: Case) => one.api === 'messages')
  : [];
const read = (file: string): Buffer => readFileSync(join(RECORDINGS, file));

if (!present) testsIfThere('the recorded provider traffic', false).test('the recordings are replayed', () => {});

function eventsOf(bytes: Buffer, size: number): { events: ReplyEvent[]; complete: boolean } {
  const frames = frameReader('sse');
  const decoder = anthropicMessages.streamDecoder();
  const events: ReplyEvent[] = [];
  for (let at = 0; at < bytes.length; at += size)
    frames.push(bytes.subarray(at, at + size), (frame) => void events.push(...decoder.push(frame)));
  frames.finish((frame) => void events.push(...decoder.push(frame)));
  events.push(...decoder.end());
  return { events, complete: decoder.complete };
}

const VARIANTS: Record<string, (sse: string) => string> = {
  'as recorded': (sse) => sse,
  'with CRLF': (sse) => sse.replaceAll('\n', '\r\n'),
  'with CR': (sse) => sse.replaceAll('\n', '\r'),
  'with comments': (sse) => sse.replaceAll('\n\n', '\n\n: keepalive\n\n'),
  'without its last blank line': (sse) => sse.trimEnd(),
};

/** As clients get them: with the arguments of every call. */
function answerOf(events: ReplyEvent[]): Answer {
  const filter = new ReplyFilter(PLAIN_REPLY, 'x');
  return fold(events.flatMap((event) => filter.push(event)));
}

function expectAnswer(events: ReplyEvent[], { expected }: Case): void {
  const answer = answerOf(events);
  const { parts, finish, native } = answer.choices[0]!;
  const texts = (type: 'text' | 'reasoning') => parts.map((part) => (part.type === type ? part.text : '')).join('');
  const reasoning = parts.filter((part) => part.type === 'reasoning');
  expect({
    id: answer.id,
    model: answer.model,
    text: texts('text'),
    reasoning: texts('reasoning'),
    signatures: reasoning.filter(({ signature }) => signature).length,
    redacted: reasoning.filter(({ redacted }) => redacted).length,
    calls: parts.flatMap((part) =>
      part.type === 'tool_call' ? [{ id: part.id, name: part.name, arguments: JSON.parse(part.arguments) }] : [],
    ),
    finish,
    native,
  }).toEqual({
    id: expected.upstream_id,
    model: expected.upstream_model,
    text: expected.text,
    reasoning: expected.reasoning_text,
    signatures: expected.reasoning_signatures,
    redacted: expected.redacted_reasoning_blocks,
    calls: expected.tool_calls.map(({ id, name, arguments: args }) => ({ id, name, arguments: args })),
    finish: expected.finish_reason_openai,
    native: expected.finish_reason_native,
  });
  const usage = events.findLast((event) => event.type === 'usage')?.usage;
  if (!expected.usage) return;
  const { input_uncached, cache_read, cache_write, output_total, reasoning: thought } = expected.usage;
  expect(usage).toMatchObject({ input: input_uncached, cacheRead: cache_read ?? 0, output: output_total, reasoning: thought });
  expect(usage!.cacheWrite5m + usage!.cacheWrite1h).toBe(cache_write ?? 0);
}

const ok = cases.filter((one) => one.http_status === 200 && !one.expected.error);
const table = (some: Case[]) => some.map((one) => [one.id, one] as const);

if (present) {
  describe('a recorded reply is read as it was meant', () => {
    test.each(table(ok.filter(({ stream }) => !stream)))('%s', (_id, one) =>
      expectAnswer(anthropicMessages.decodeAnswer(read(one.files.response), {}), one),
    );

    test.each(table(ok.filter(({ stream }) => stream)))('%s, cut anywhere and however its lines end', (_id, one) => {
      const sse = read(one.files.response).toString();
      for (const vary of Object.values(VARIANTS)) {
        const bytes = Buffer.from(vary(sse));
        for (const size of [bytes.length, 1024, 16, 7, 3, 2, 1]) {
          const { events, complete } = eventsOf(bytes, size);
          expect(complete).toBe(true);
          expectAnswer(events, one);
        }
      }
    });

    test.each(table(ok.filter(({ stream }) => stream)))('%s, cut before its end, is no answer', (_id, one) => {
      const events = read(one.files.response)
        .toString()
        .split(/(?<=\n\n)/);
      const end = events.findIndex((event) => event.includes('"stop_reason":"'));
      for (let cut = 0; cut < end; cut++) {
        const { events: seen, complete } = eventsOf(Buffer.from(events.slice(0, cut).join('')), 1024);
        expect([complete, seen.some(({ type }) => type === 'finish')]).toEqual([false, false]);
      }
    });
  });

  describe('a recorded refusal has its class', () => {
    test.each(table(cases.filter(({ expected }) => expected.error)))('%s', (_id, one) => {
      const refusal = anthropicMessages.decodeRefusal(one.http_status, read(one.files.response), {});
      expect(refusal.message).toBe(one.expected.error!.message);
      expect(refusal.class).toBe(one.http_status === 404 ? 'model_not_found' : 'bad_request');
    });
  });

  describe('a recorded request', () => {
    const requests = table(ok.filter(({ files }) => files.request));

    test.each(requests)('%s comes out of the canonical form as it went in', (_id, one) => {
      const body = JSON.parse(read(one.files.request!).toString());
      const prompt = messagesSurface.decodeRequest(body, 1);
      const sent = anthropicMessages.encodeRequest(messagesSurface.decodeConversation(prompt), rewriteFor(body));
      expect(canonical(JSON.parse(sent.body))).toEqual(canonical(body));
    });

    test.each(requests)('%s passes verbatim, byte for byte', (_id, one) => {
      const body = JSON.parse(read(one.files.request!).toString());
      const prompt = messagesSurface.decodeRequest(body, 1);
      expect(messagesVerbatim.encodeRequest(prompt, rewriteFor(body)).body).toBe(JSON.stringify(body));
    });
  });
}

const rewriteFor = (body: { model: string; max_tokens: number }): UpstreamParams => ({
  model: body.model,
  maxOutputTokens: body.max_tokens,
  thinkingLevel: null,
  quirks: {},
});

/** Different ways of saying the same. */
function canonical(body: Record<string, unknown>): unknown {
  const { context_management: _noMeaning, temperature: _refused, stream, cache_control: mark, ...rest } = body;
  const text = JSON.stringify({ ...rest, ...(stream === true && { stream }), system: systemOf(rest['system']) });
  const plain = text.replaceAll(',"is_error":false', '').replaceAll('"is_error":false,', '').replaceAll('"ttl":"5m",', '');
  const parsed = JSON.parse(plain.replaceAll(',"ttl":"5m"', ''));
  if (mark) parsed.messages.at(-1).content.at(-1).cache_control = { type: 'ephemeral' };
  return parsed;
}

const systemOf = (system: unknown): unknown => (typeof system === 'string' ? [{ type: 'text', text: system }] : system);
