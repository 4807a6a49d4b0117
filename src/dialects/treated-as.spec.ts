import { assistant, call, conversation, result, rewrite, settings, system, tool, user } from '../../test/support/conversations.js';
import { anthropicMessages } from './anthropic-messages/index.js';
import { bedrockConverse } from './bedrock-converse/index.js';
import { chooseDialect } from './choose.js';
import { cohere } from './cohere/index.js';
import type { Upstream } from './dialect.js';
import { gemini } from './gemini/index.js';
import { ollama } from './ollama/index.js';
import { openaiChat } from './openai-chat/index.js';
import { openaiResponses } from './openai-responses/index.js';
import { workersAi } from './workers-ai/index.js';

/** Whose rules differ in something that this conversation has. */
const CASES: [Upstream, own: string, other: string][] = [
  [anthropicMessages, 'claude-sonnet-4-5', 'claude-opus-5-5'],
  [bedrockConverse, 'arn:aws:bedrock:us-east-1:1:application-inference-profile/x', 'us.anthropic.claude-opus-5'],
  [gemini, 'gemini-2.5-flash', 'gemini-3-pro'],
  [openaiChat, 'deployment', 'gpt-6-sol'],
  [openaiResponses, 'deployment', 'gpt-5.1'],
  [ollama, 'llama3', 'gpt-oss:20b'],
  [cohere, 'command-r', 'command-a-reasoning-08-2025'],
  [workersAi, '@cf/meta/llama-3', '@cf/openai/gpt-oss-20b'],
];

const reasoning = { type: 'reasoning' as const, text: 'Hm.', origin: null, signature: null, redacted: null, id: null };
const asked = conversation({
  turns: [system('Be brief.'), user('Hi'), assistant(reasoning, call('a', 'weather', '{"city":"Bern"}')), result('a', 'sunny')],
  tools: [tool('weather')],
  settings: settings({ temperature: 0.5 }),
  thinking: { level: 'high', budgetTokens: null, show: null },
});

describe.each(CASES.map(([upstream, own, other]) => [upstream.name, upstream, own, other] as const))(
  '%s',
  (_name, upstream, own, other) => {
    const written = (model: string, modelRulesOf?: string): string => {
      const { path, body } = upstream.encodeRequest(asked, rewrite(model, { maxOutputTokens: 20_000, modelRulesOf }));
      return `${decodeURIComponent(path)} ${body}`;
    };

    test('a model that is treated as another is asked as that one, by its own id', () => {
      expect(written(own, other)).toBe(written(other).replaceAll(other, own));
      expect(written(own, other)).not.toBe(written(own));
    });
  },
);

test('the format is chosen by the same rules', () => {
  const prompt = { body: { tools: [{}] } } as never;
  const choose = (model: string) => chooseDialect(['openai-chat', 'openai-responses'], 'openai-chat', model, prompt);
  expect([choose('deployment'), choose('gpt-5.6-sol')]).toEqual(['openai-chat', 'openai-responses']);
});
