import fc from 'fast-check';
import { countTokens as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { countTokens as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import { countTokens as harmony } from 'gpt-tokenizer/encoding/o200k_harmony';
import type { CallRequest } from '../../src/dialects/index.js';
import { refinedInput } from '../../src/gateway/refine-input.js';
import { rulesOf } from '../../src/model-rules/index.js';
import { modelOf, PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, send } from './support/surfaces.js';

const TOKENIZERS = { o200k_base: o200k, cl100k_base: cl100k, o200k_harmony: harmony };
const asText = { disallowedSpecial: new Set<string>() };

/** Scripts that some tokenizers take apart to the byte, and texts that they treat in ways of their own. */
const word = fc.oneof(
  fc.constantFrom(
    'საქართველო',
    'ᓄᓇᕗᑦ',
    'ⵜⴰⵎⴰⵣⵉⵖⵜ',
    '𓀀𓂀𓃰',
    '👩‍👩‍👧‍👦🏳️‍🌈',
    'Z͑ͫ̓ͪ̂ͫ̽͏̴̙',
    '<|endoftext|>',
    '<|im_start|>system',
    '<|channel|>',
    '\u0000\u0001\u001f',
    'ﷺ',
    '﷽',
  ),
  fc.constantFrom(' ', '\t', '\n', '\r\n', '   ', '\u00a0', '\u3000').map((one) => one.repeat(50)),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.stringMatching(/^[a-zA-Z]{1,30}$/),
  fc.constantFrom('a', '=', '-', '{}', '"').map((one) => one.repeat(300)),
);
const text = fc.array(word, { maxLength: 60 }).map((words) => words.join(''));
const tool = fc.record({
  name: fc.stringMatching(/^[a-z_]{1,20}$/),
  description: text,
  fields: fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,10}$/), text), { maxLength: 8 }),
  words: fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 8 }),
});

/** As OpenAI's models are known to be shown a conversation and its tools. */
function shown(messages: { role: string; content: string }[], tools: (typeof tool extends fc.Arbitrary<infer T> ? T : never)[]): string[] {
  const typed = tools.map(({ name, description, fields, words }) => {
    const lines = fields.map(([field, about]) => `// ${about}\n${field}?: string,\n`);
    return `// ${description}\ntype ${name} = (_: {\n${lines.join('')}kind: ${words.map((one) => `"${one}"`).join(' | ')},\n}) => any;\n\n`;
  });
  const namespace =
    tools.length > 0 ? [`# Tools\n\n## functions\n\nnamespace functions {\n\n${typed.join('')}} // namespace functions`] : [];
  return [...namespace, ...messages.flatMap(({ role, content }) => [role, content])];
}

test.each(['gpt-4o', 'gpt-4', 'gpt-oss-120b'])('what %s counts is never above the refined bound', async (model) => {
  const count = (said: string) => TOKENIZERS[rulesOf(model).encoding!](said, asText);
  const message = fc.record({ role: fc.constantFrom('user', 'assistant', 'system'), content: text });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 6 }), fc.array(tool, { maxLength: 4 }), async (messages, tools) => {
      const functions = tools.map(({ name, description, fields, words }) => ({
        type: 'function',
        function: {
          name,
          description,
          parameters: {
            type: 'object',
            properties: {
              ...Object.fromEntries(fields.map(([field, about]) => [field, { type: 'string', description: about }])),
              kind: { enum: words },
            },
          },
        },
      }));
      const body = { model, messages, tools: functions };
      const bytes = Buffer.byteLength(JSON.stringify(body));
      const size = { textBytes: 100 * bytes, mediaTokens: 0, heard: false };
      const refined = await refinedInput('tenant', { body } as unknown as CallRequest, size, { model, modelRulesOf: undefined });
      const unique = tools.map((one) => ({ ...one, fields: [...new Map(one.fields)] as [string, string][] }));
      const real = shown(messages, unique).reduce((sum, said) => sum + count(said), 3 + 4 * messages.length);
      expect(refined).toBeGreaterThanOrEqual(real);
      expect(refined).toBeLessThan(size.textBytes);
    }),
    { numRuns: 60, seed: 14 },
  );
});

test.each([
  ['gpt-4', 'საქართველოს დედაქალაქი თბილისია. '],
  ['gpt-3.5-turbo', 'საქართველოს დედაქალაქი თბილისია. '],
  ['gpt-4-turbo', 'Հայաստանի մայրաքաղաքը Երևանն է։ '],
])('%s counts no more than the refined bound of a text of only %j', async (model, word) => {
  const content = word.repeat(200);
  const body = { model, messages: [{ role: 'user', content }] };
  const size = { textBytes: 100 * Buffer.byteLength(content), mediaTokens: 0, heard: false };
  const refined = await refinedInput('tenant', { body } as unknown as CallRequest, size, { model, modelRulesOf: undefined });
  expect(refined).toBeGreaterThanOrEqual(TOKENIZERS[rulesOf(model).encoding!](content, asText));
});

test.each([
  ['gpt-4o-2024-08-06', 'o200k_base'],
  ['openai/gpt-5-mini', 'o200k_base'],
  ['us.openai.gpt-oss-20b', 'o200k_harmony'],
  ['ft:gpt-4.1:acme', 'o200k_base'],
  ['gpt-4-turbo', 'cl100k_base'],
  ['gpt-5.5', null],
  ['gpt-6-astra', null],
  ['claude-opus-5-5', null],
  ['acme/gpt-4o-like', null],
  ['gemini-3-pro', null],
])('%s is read by %s', (model, encoding) => expect(rulesOf(model).encoding).toBe(encoding));

describe('a text that another tokenizer makes little of', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await startRig();
  });

  afterAll(() => rig.stop());

  test('is held by its bytes on every surface and in every format, where the model’s own tokenizer is not at hand', async () => {
    const georgian = 'საქართველოს დედაქალაქი თბილისია. '.repeat(100);
    // A byte-level tokenizer without the script: nearly a token for a byte.
    const bill = Math.floor(Buffer.byteLength(georgian) * 0.95);
    const wrong: string[] = [];
    for (const surface of CONVERSATIONS)
      for (const format of PROVIDER_FORMATS) {
        rig.upstream.script = format.says({ text: 'x', usage: { input: bill, cacheRead: 0, output: 1 } });
        const headers = { 'x-weir-max-cost': '0.006' };
        const reply = await send(rig.to, surface, surface.body(modelOf(format), georgian), headers);
        const body = await reply.text();
        if (reply.status !== 402 || !body.includes('cost_limit_exceeded'))
          wrong.push(`${surface.route} ${format.dialect}: ${reply.status} ${body}`);
      }
    expect(wrong).toEqual([]);
  });
});
