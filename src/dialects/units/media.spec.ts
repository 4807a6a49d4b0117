import fc from 'fast-check';
import { inputTotal, NO_USAGE, outputTotal } from '../../kernel/usage.js';
import { readUsage as readGemini } from '../gemini/usage.js';
import { encodeUsage, readUsage as readChat } from '../openai-chat/usage.js';
import { readUsage as readResponses } from '../openai-responses/usage.js';

test.each([
  [
    'chat: sound in and out',
    () =>
      readChat({
        prompt_tokens: 100,
        completion_tokens: 50,
        prompt_tokens_details: { audio_tokens: 70 },
        completion_tokens_details: { audio_tokens: 40 },
      }),
    { input: 30, audioInput: 70, output: 10, audioOutput: 40 },
  ],
  [
    'chat: sound from the cache, as told',
    () =>
      readChat({
        prompt_tokens: 100,
        completion_tokens: 5,
        prompt_tokens_details: { audio_tokens: 70, cached_tokens: 60, cached_tokens_details: { audio_tokens: 45 } },
      }),
    { input: 15, cacheRead: 15, audioInput: 25, audioCacheRead: 45, output: 5 },
  ],
  [
    'chat: sound from the cache that is not told apart is only what cannot have been elsewhere',
    () => readChat({ prompt_tokens: 100, completion_tokens: 5, prompt_tokens_details: { audio_tokens: 70, cached_tokens: 60 } }),
    { input: 0, cacheRead: 30, audioInput: 40, audioCacheRead: 30, output: 5 },
  ],
  [
    'Responses: images in',
    () => readResponses({ input_tokens: 100, output_tokens: 5, input_tokens_details: { image_tokens: 80 } }),
    { input: 20, imageInput: 80, output: 5 },
  ],
  [
    'Gemini: sound in and from the cache, an image out, and images in as text',
    () =>
      readGemini(
        {
          promptTokenCount: 500,
          cachedContentTokenCount: 100,
          candidatesTokenCount: 1300,
          thoughtsTokenCount: 20,
          promptTokensDetails: [
            { modality: 'TEXT', tokenCount: 42 },
            { modality: 'IMAGE', tokenCount: 258 },
            { modality: 'AUDIO', tokenCount: 200 },
          ],
          cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 100 }],
          candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1290 }],
        },
        false,
      ),
    { input: 300, audioInput: 100, audioCacheRead: 100, output: 30, imageOutput: 1290, reasoning: 20 },
  ],
])('%s', (_, read, expected) => {
  expect(read()).toEqual({ ...NO_USAGE, ...expected });
});

test('media that are told, however many, change no total, and chat tells them on', () => {
  const count = fc.nat(1000);
  fc.assert(
    fc.property(
      fc.array(count, { minLength: 9, maxLength: 9 }),
      ([prompt, output, cached, heard, seen, heardAgain, spoken, drawn, write]) => {
        const raw = {
          prompt_tokens: prompt! + cached! + write!,
          completion_tokens: output,
          prompt_tokens_details: {
            cached_tokens: cached,
            cache_write_tokens: write,
            audio_tokens: heard,
            image_tokens: seen,
            cached_tokens_details: { audio_tokens: heardAgain },
          },
          completion_tokens_details: { audio_tokens: spoken, image_tokens: drawn },
        };
        const usage = readChat(raw)!;
        expect([inputTotal(usage), outputTotal(usage)]).toEqual([raw.prompt_tokens, output]);
        expect(Object.values(usage).every((tokens) => tokens === null || tokens >= 0)).toBe(true);
        expect(encodeUsage(usage)).toMatchObject({
          prompt_tokens: raw.prompt_tokens,
          completion_tokens: output,
          prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: write },
        });
      },
    ),
  );
});
