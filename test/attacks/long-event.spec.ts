import type { SurfaceName } from '../../src/dialects/dialect.js';
import { conversationIn } from '../../src/dialects/registry.js';
import { SecretWatch } from '../../src/gateway/attempts/secret-watch.js';
import type { Work } from '../../src/kernel/slices.js';
import { Secret } from '../../src/platform/crypto/index.js';
import { eventsOf, PROVIDER_FORMATS, type ProviderFormat } from './support/formats.js';

jest.setTimeout(60_000);

/** No step may take longer, in CPU time of the thread. */
const MAX_MS = 50;
/** How often a stream is read before a long step counts: garbage is collected in the middle of one now and then. */
const ROUNDS = 6;
const MAX_OUTPUT_TOKENS = 10_000_000;
const PIECE_BYTES = 16 * 1024;
const TEXT = `${'{},"\n'.repeat(200)} `.repeat(2_000);

const BODIES: Readonly<Record<SurfaceName, object>> = {
  'openai-chat': { messages: [{ role: 'user', content: 'Hi' }] },
  'openai-completions': { prompt: 'Hi' },
  'openai-responses': { input: 'Hi' },
  'anthropic-messages': { messages: [{ role: 'user', content: 'Hi' }] },
  'chat-complete': { messages: [{ role: 'user', content: 'Hi' }] },
};

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

/** The longest step of reading a stream of this format for a client of that one, and of searching what the client gets for secrets. */
function longestStep({ dialect }: ProviderFormat, surface: SurfaceName, stream: Buffer): number {
  const { decodeRequest, open } = conversationIn(surface);
  const limits = { maxOutputTokens: MAX_OUTPUT_TOKENS, thinkingLevel: null, quirks: {} };
  const prompt = decodeRequest({ model: 'm', stream: true, max_tokens: MAX_OUTPUT_TOKENS, ...BODIES[surface] }, 100);
  const { translation } = open(prompt, { dialects: [dialect], ...limits }, { id: 'abc1', createdAt: 1, model: 'm' });
  translation.encodeRequest({ model: 'm', ...limits });
  const reader = translation.streams!.read(MAX_OUTPUT_TOKENS);
  const watch = new SecretWatch([new Secret('sk-of-a-provider-0123456789abcdef')]);
  let longest = 0;
  const done = <Result>(work: Work<Result>): Result => {
    for (;;) {
      const before = cpuMs();
      const next = work.next();
      longest = Math.max(longest, cpuMs() - before);
      if (next.done) return next.value;
    }
  };
  let bytes = 0;
  const give = (pieces: Buffer[]) => {
    for (const piece of pieces) {
      bytes += piece.length;
      expect(done(watch.search(piece))).toBe(false);
    }
  };
  for (let at = 0; at < stream.length; at += PIECE_BYTES) give(done(reader.push(stream.subarray(at, at + PIECE_BYTES))));
  give(done(reader.finish()));
  expect([reader.complete, bytes > TEXT.length]).toEqual([true, true]);
  return longest;
}

/** Each format, and each surface, also as one that is spoken on both sides. */
const PAIRS = PROVIDER_FORMATS.flatMap((format) =>
  (Object.keys(BODIES) as SurfaceName[])
    .filter((surface) => surface === format.dialect || surface === 'chat-complete' || format.dialect === 'ollama')
    .map((surface) => [format.dialect, surface, format] as const),
);

test.each(PAIRS)('an event of %s with a text of 2 MB is no long step for a client of %s', (_, surface, format) => {
  const { events } = eventsOf(format, { text: TEXT, usage: { input: 1, cacheRead: 0, output: 2 } });
  const stream = Buffer.concat(events);
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS && least > MAX_MS; round++) least = Math.min(least, longestStep(format, surface, stream));
  expect(least).toBeLessThanOrEqual(MAX_MS);
});
