import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openaiChat, type Prompt } from '../../src/dialects/index.js';

interface Case {
  id: string;
  api: string;
  stream: boolean;
  http_status: number;
  files: { response: string };
  expected: {
    text: string;
    finish_reason_openai: string | null;
    error: unknown;
    usage: { input_uncached: number | null; cache_read: number | null; cache_write: number | null; output_total: number | null } | null;
  };
}

/** Recorded provider traffic lies beside the checkout, where it is there at all. */
const RECORDINGS = join(__dirname, '..', '..', '..', 'shared', 'fixtures');
const present = existsSync(join(RECORDINGS, 'index.json'));
const cases: Case[] = present
  ? JSON.parse(readFileSync(join(RECORDINGS, 'index.json'), 'utf8')).cases.filter((one: Case) => one.api === 'chat.completions')
  : [];

const PROMPT: Prompt = {
  model: 'p/m',
  stream: true,
  includeUsage: true,
  maxOutputTokens: null,
  endUser: null,
  choices: 1,
  inputTokensBound: 1,
  body: {},
};

/** What a client has to read: the text of every chunk that was passed on. */
const textOf = (sse: string): string =>
  sse
    .split(/\r?\n\r?\n/)
    .filter((event) => event.startsWith('data:') && !event.includes('[DONE]'))
    .map((event) => JSON.parse(event.slice(5)).choices?.[0]?.delta?.content ?? '')
    .filter((content) => typeof content === 'string') // Mistral streams its thinking as parts
    .join('');

function expectFacts(facts: ReturnType<typeof openaiChat.decodeResponse>, { expected }: Case): void {
  if (expected.usage?.input_uncached == null) return;
  const { input_uncached: input, cache_read: cacheRead, cache_write: cacheWrite5m, output_total: output } = expected.usage;
  expect(facts.usage).toMatchObject({ input, cacheRead: cacheRead ?? 0, cacheWrite5m: cacheWrite5m ?? 0, output });
}

if (!present)
  test('the recorded provider traffic is absent, so no recording is replayed', () => console.warn('no recordings beside the checkout'));

const metered = cases.filter((one) => one.stream && one.expected.usage?.output_total && !one.expected.error);

if (metered.length > 0)
  test.each(metered.map((one) => [one.id, one] as const))(
    '%s is not cut at a limit of exactly the tokens it has',
    (_id, { files, expected }) => {
      const reader = openaiChat.streamReader(PROMPT, expected.usage!.output_total!);
      reader.push(readFileSync(join(RECORDINGS, files.response)));
      reader.finish();
      expect(reader.overLimit).toBe(false);
    },
  );

describe('recorded OpenAI-shaped traffic', () => {
  const whole = cases.filter((one) => !one.stream && one.http_status === 200);
  const errors = cases.filter((one) => !one.stream && one.http_status !== 200);
  const streams = cases.filter((one) => one.stream);

  if (whole.length > 0)
    test.each(whole.map((one) => [one.id, one] as const))('%s', (_id, one) => {
      const facts = openaiChat.decodeResponse(readFileSync(join(RECORDINGS, one.files.response)));
      if (one.expected.error) return expect(facts.refusal).not.toBeNull();
      expectFacts(facts, one);
    });

  if (errors.length > 0)
    test.each(errors.map((one) => [one.id, one] as const))('%s', (_id, one) => {
      const refusal = openaiChat.decodeRefusal(one.http_status, readFileSync(join(RECORDINGS, one.files.response)));
      expect(refusal.message).toBeTruthy();
    });

  if (streams.length > 0)
    test.each(streams.map((one) => [one.id, one] as const))('%s, whole and in pieces of 1, 7 and 1024 bytes', (_id, one) => {
      const bytes = readFileSync(join(RECORDINGS, one.files.response));
      for (const size of [bytes.length, 1024, 7, 1]) {
        const reader = openaiChat.streamReader(PROMPT, 1_000_000);
        const out: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) out.push(...reader.push(bytes.subarray(at, at + size)));
        out.push(...reader.finish());
        if (one.expected.error) {
          expect(reader.complete).toBe(false);
          continue;
        }
        expect(reader.refusal).toBeNull();
        expect(textOf(Buffer.concat(out).toString())).toBe(one.expected.text);
        expectFacts({ ...reader.facts, refusal: null }, one);
        expect(reader.complete).toBe(true);
      }
    });
});
