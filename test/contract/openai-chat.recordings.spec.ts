import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, ReplyEvent } from '../../src/dialects/canonical.js';
import { type CallRequest, noFacts, ProviderRefusal, type ReplyFacts, type UpstreamParams } from '../../src/dialects/dialect.js';
import { fold } from '../../src/dialects/kit/fold.js';
import { framesOf } from '../../src/dialects/kit/frames.js';
import { chatSurface, chatVerbatim, openaiChat } from '../../src/dialects/openai-chat/index.js';
import { completionsVerbatim, openaiCompletions } from '../../src/dialects/openai-completions/index.js';
import { atOnce } from '../../src/kernel/slices.js';
import { testsIfThere } from '../support/needs.js';

interface Case {
  id: string;
  api: 'chat.completions' | 'completions';
  stream: boolean;
  http_status: number;
  files: { request?: string; response: string };
  expected: {
    text: string;
    reasoning_text: string;
    tool_calls: { id: string | null; name: string; arguments: unknown }[];
    finish_reason_openai: string | null;
    upstream_model?: string;
    error: unknown;
    usage: {
      input_uncached: number | null;
      cache_read: number | null;
      cache_write: number | null;
      output_total: number | null;
      reasoning: number | null;
    } | null;
  };
}

/** Recorded provider traffic lies beside the checkout, where it is there at all. */
const RECORDINGS = join(__dirname, '..', '..', '..', 'shared', 'fixtures');
const present = existsSync(join(RECORDINGS, 'index.json'));
const APIS = ['chat.completions', 'completions'];
const cases: Case[] = present
  ? JSON.parse(readFileSync(join(RECORDINGS, 'index.json'), 'utf8')).cases.filter((one: Case) => APIS.includes(one.api))
  : [];
const read = (file: string): Buffer => readFileSync(join(RECORDINGS, file));

const PROMPT: CallRequest = {
  model: 'p/m',
  stream: true,
  includeUsage: true,
  maxOutputTokens: null,
  endUser: null,
  choices: 1,
  inputTokensBound: 1,
  body: {},
  betas: [],
};

const upstreamOf = ({ api }: Case) => (api === 'completions' ? openaiCompletions : openaiChat);
const readerOf = ({ api }: Case, limit: number) =>
  (api === 'completions' ? completionsVerbatim : chatVerbatim).streamReader!(PROMPT, limit);

/** What was told until the end, or until the provider said that it failed. */
function decoded(one: Case, stream: Buffer): { events: ReplyEvent[]; complete: boolean; refused: boolean } {
  const decoder = upstreamOf(one).streamDecoder();
  const events: ReplyEvent[] = [];
  try {
    for (const frame of framesOf('sse', stream)) events.push(...decoder.push(frame));
    events.push(...decoder.end());
  } catch (error) {
    if (!(error instanceof ProviderRefusal)) throw error;
    return { events, complete: false, refused: true };
  }
  return { events, complete: decoder.complete, refused: false };
}

const said = (answer: Answer, type: 'text' | 'reasoning'): string =>
  answer.choices.flatMap(({ parts }) => parts.flatMap((part) => (part.type === type ? [part.text] : []))).join('');

function expectAnswer(events: ReplyEvent[], { api, expected }: Case): void {
  const answer = fold(events);
  // The recording of a legacy completion does not tell its text.
  if (api === 'chat.completions') expect(said(answer, 'text')).toBe(expected.text);
  expect(said(answer, 'reasoning')).toBe(expected.reasoning_text);
  const calls = answer.choices.flatMap(({ parts }) => parts.filter((part) => part.type === 'tool_call'));
  expect(calls.map(({ name, arguments: args }) => ({ name, arguments: args.trim() === '' ? {} : JSON.parse(args) }))).toEqual(
    expected.tool_calls.map(({ name, arguments: args }) => ({ name, arguments: args })),
  );
  expect(calls.map(({ id }) => id || null)).toEqual(expected.tool_calls.map(({ id }) => id));
  if (expected.upstream_model) expect(answer.model).toBe(expected.upstream_model);
  const finishes = events.filter(({ type }) => type === 'finish');
  expect(finishes).toMatchObject([{ reason: expected.finish_reason_openai }]);
}

const usageIn = (events: ReplyEvent[]): ReplyFacts => {
  const last = events.findLast((event) => event.type === 'usage');
  return { ...noFacts(), usage: last?.usage ?? null };
};

function expectUsage(facts: ReplyFacts, { expected }: Case): void {
  if (expected.usage?.input_uncached == null) return;
  const { input_uncached: input, cache_read: cacheRead, cache_write: cacheWrite5m, output_total: output, reasoning } = expected.usage;
  expect(facts.usage).toMatchObject({ input, cacheRead: cacheRead ?? 0, cacheWrite5m: cacheWrite5m ?? 0, output, reasoning });
}

/** What a client has to read: the text of every chunk that was passed on. */
const textOf = (sse: string): string =>
  sse
    .split(/\r?\n\r?\n/)
    .filter((event) => event.startsWith('data:') && !event.includes('[DONE]'))
    .map((event) => JSON.parse(event.slice(5)).choices?.[0]?.delta?.content ?? '')
    .filter((content) => typeof content === 'string') // Mistral streams its thinking as parts
    .join('');

const named = (some: Case[]) => some.map((one) => [one.id, one] as const);
const whole = cases.filter((one) => !one.stream && one.http_status === 200);
const errors = cases.filter((one) => !one.stream && one.http_status !== 200);
const streams = cases.filter((one) => one.stream);
const metered = streams.filter((one) => one.expected.usage?.output_total && !one.expected.error);
/** These carry reasoning in fields of their providers' own, which verbatim keeps. */
const OWN_REASONING = ['mistral/thinking-array-content', 'openai-compatible/crusoe-tool-cached'];
const requests = cases.filter(
  (one) => one.files.request && one.http_status === 200 && one.api === 'chat.completions' && !OWN_REASONING.includes(one.id),
);

if (!present) testsIfThere('the recorded provider traffic', false).test('the recordings are replayed', () => {});
else
  describe('recorded OpenAI-shaped traffic', () => {
    test.each(named(whole))('%s is read whole', (_id, one) => {
      const body = read(one.files.response);
      const facts = chatVerbatim.readWhole!(body);
      if (one.expected.error) {
        expect(facts.refusal).not.toBeNull();
        expect(() => upstreamOf(one).decodeAnswer(body, {})).toThrow(ProviderRefusal);
        return;
      }
      expectUsage(facts, one);
      const events = upstreamOf(one).decodeAnswer(body, {});
      expectAnswer(events, one);
      expectUsage(usageIn(events), one);
    });

    test.each(named(errors))('%s is a refusal with its sentence', (_id, one) => {
      expect(openaiChat.decodeRefusal(one.http_status, read(one.files.response), {}).message).toBeTruthy();
    });

    test.each(named(streams))('%s is decoded, whatever its line ends and with comments', (_id, one) => {
      const text = read(one.files.response).toString();
      const variants = [text, text.replaceAll('\n', '\r\n'), text.replaceAll('\n', '\r'), text.replaceAll('\n\n', '\n\n: keepalive\n\n')];
      for (const variant of variants) {
        const { events, complete, refused } = decoded(one, Buffer.from(variant));
        expectUsage(usageIn(events), one);
        if (one.expected.error) {
          expect([complete, refused]).toEqual([false, true]);
          continue;
        }
        expect(complete).toBe(true);
        expectAnswer(events, one);
      }
    });

    test.each(named(streams))('%s, cut before its end, is not complete', (_id, one) => {
      const frames = framesOf('sse', read(one.files.response));
      const end = frames.findIndex(({ data }) => /"finish_reason":\s*"[^"]/.test(data));
      const decoder = upstreamOf(one).streamDecoder();
      for (const frame of frames.slice(0, end === -1 ? frames.length - 1 : end)) decoder.push(frame);
      expect(decoder.complete).toBe(false);
      expect(decoder.end()).toEqual([]);
    });

    test.each(named(streams))('%s passes verbatim, whole and in pieces of 1, 7 and 1024 bytes', (_id, one) => {
      const bytes = read(one.files.response);
      for (const size of [bytes.length, 1024, 7, 1]) {
        const reader = readerOf(one, 1_000_000);
        const out: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) out.push(...atOnce(reader.push(bytes.subarray(at, at + size))));
        out.push(...atOnce(reader.finish()));
        expectUsage(reader.facts, one);
        if (one.expected.error) {
          expect(reader.complete).toBe(false);
          expect(reader.refusal).not.toBeNull();
          continue;
        }
        expect(reader.refusal).toBeNull();
        if (one.api === 'chat.completions') expect(textOf(Buffer.concat(out).toString())).toBe(one.expected.text);
        expect(reader.complete).toBe(true);
      }
    });

    test.each(named(metered))('%s is not cut at a limit of exactly the tokens it has', (_id, one) => {
      const reader = readerOf(one, one.expected.usage!.output_total!);
      atOnce(reader.push(read(one.files.response)));
      atOnce(reader.finish());
      expect(reader.overLimit).toBe(false);
    });

    test.each(named(requests))('the request of %s comes out of the canonical form as it went in', (_id, one) => {
      const sent = JSON.parse(read(one.files.request!).toString());
      const rewrite: UpstreamParams = { model: sent.model, maxOutputTokens: 100, thinkingLevel: null, quirks: quirksFor(one.id) };
      const prompt = chatSurface.decodeRequest(sent, 1);
      const made = JSON.parse(openaiChat.encodeRequest(chatSurface.decodeConversation(prompt), rewrite).body);
      for (const field of [
        'messages',
        'tools',
        'response_format',
        'tool_choice',
        'parallel_tool_calls',
        'stop',
        'reasoning',
        'reasoning_effort',
      ])
        expect([field, plain(made[field])]).toEqual([field, plain(sent[field])]);
    });
  });

function quirksFor(id: string): UpstreamParams['quirks'] {
  const [provider] = id.split('/');
  switch (provider) {
    case 'openrouter':
      return { thinking: 'openrouter', reasoningBack: 'as-is' };
    case 'deepseek':
      return { thinking: 'deepseek', reasoningBack: 'always' };
    case 'mistral':
      return { toolCallIds: 'nine-alphanumerics', requiredToolChoice: 'any', reasoningBack: 'as-is' };
    default:
      return {};
  }
}

/** Without what is the same in another form. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([name, field]) => !isDefault(name, field));
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field)]));
}

const isDefault = (name: string, field: unknown): boolean =>
  (name === 'content' && field === null) || (name === 'ttl' && field === '5m') || (name === 'type' && field === 'function');
