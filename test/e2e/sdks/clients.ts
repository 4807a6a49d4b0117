import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import Anthropic from '@anthropic-ai/sdk';
import { type BaseMessage, HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, isStepCount, jsonSchema, type LanguageModel, streamText, tool } from 'ai';
import OpenAI from 'openai';

/** What the tool answers, by the city asked for. */
export const SKIES: Record<string, string> = { Bern: 'sunny', Basel: 'rain' };
export const QUESTION = 'What is the weather in Bern and in Basel?';
export const NAME = 'weather';
export const DESCRIPTION = 'Tells the weather.';
export const SCHEMA = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const } },
  required: ['city'],
  additionalProperties: false as const,
};

interface Gateway {
  url: string;
  key: string;
  model: string;
}

export interface Client {
  name: string;
  /** Has the conversation to its end, with the tool called. Gives the last words. */
  talk(gateway: Gateway): Promise<string>;
}

const openai = ({ url, key }: Gateway) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const skyOf = (args: string) => SKIES[JSON.parse(args).city]!;

// ---- openai, chat --------------------------------------------------------------------------------------------------------------------------

type ChatMessage = OpenAI.ChatCompletionMessageParam;
const chatTool = { type: 'function' as const, function: { name: NAME, description: DESCRIPTION, parameters: SCHEMA } };
const runnable = {
  type: 'function' as const,
  function: { ...chatTool.function, parse: JSON.parse, function: ({ city }: { city: string }) => SKIES[city]! },
};

async function chat(ask: (messages: ChatMessage[]) => Promise<OpenAI.ChatCompletionMessage>): Promise<string> {
  const messages: ChatMessage[] = [{ role: 'user', content: QUESTION }];
  const first = await ask(messages);
  messages.push(first);
  for (const call of first.tool_calls ?? []) {
    if (call.type === 'function') messages.push({ role: 'tool', tool_call_id: call.id, content: skyOf(call.function.arguments) });
  }
  return (await ask(messages)).content!;
}

const openaiChat: Client[] = [
  {
    name: 'openai chat.completions.create',
    talk: (gateway) =>
      chat(async (messages) => {
        const { choices } = await openai(gateway).chat.completions.create({ model: gateway.model, messages, tools: [chatTool] });
        return choices[0]!.message;
      }),
  },
  {
    name: 'openai chat.completions.stream',
    talk: (gateway) =>
      chat((messages) =>
        openai(gateway)
          .chat.completions.stream({ model: gateway.model, messages, tools: [chatTool] })
          .finalMessage(),
      ),
  },
  {
    name: 'openai chat.completions.runTools',
    talk: async (gateway) => {
      const messages: ChatMessage[] = [{ role: 'user', content: QUESTION }];
      return (await openai(gateway)
        .chat.completions.runTools({ model: gateway.model, messages, tools: [runnable] })
        .finalContent())!;
    },
  },
  {
    name: 'openai chat.completions.runTools, streamed',
    talk: async (gateway) => {
      const messages: ChatMessage[] = [{ role: 'user', content: QUESTION }];
      const request = { model: gateway.model, messages, tools: [runnable], stream: true as const };
      return (await openai(gateway).chat.completions.runTools(request).finalContent())!;
    },
  },
];

// ---- openai, responses ---------------------------------------------------------------------------------------------------------------------

type Item = OpenAI.Responses.ResponseInputItem;
const responsesTool = { type: 'function' as const, name: NAME, description: DESCRIPTION, parameters: SCHEMA, strict: false };
const stateless = { store: false, include: ['reasoning.encrypted_content' as const], tools: [responsesTool] };

async function responses(ask: (input: Item[]) => Promise<OpenAI.Responses.Response>): Promise<string> {
  const input: Item[] = [{ role: 'user', content: QUESTION }];
  const first = await ask(input);
  input.push(...(first.output as Item[]));
  for (const item of first.output) {
    if (item.type === 'function_call') input.push({ type: 'function_call_output', call_id: item.call_id, output: skyOf(item.arguments) });
  }
  return (await ask(input)).output_text;
}

const openaiResponses: Client[] = [
  {
    name: 'openai responses.create',
    talk: (gateway) => responses((input) => openai(gateway).responses.create({ model: gateway.model, input, ...stateless })),
  },
  {
    name: 'openai responses.stream',
    talk: (gateway) =>
      responses((input) =>
        openai(gateway)
          .responses.stream({ model: gateway.model, input, ...stateless })
          .finalResponse(),
      ),
  },
];

// ---- @anthropic-ai/sdk ---------------------------------------------------------------------------------------------------------------------

async function messages(ask: (messages: Anthropic.MessageParam[]) => Promise<Anthropic.Message>): Promise<string> {
  const turns: Anthropic.MessageParam[] = [{ role: 'user', content: QUESTION }];
  const first = await ask(turns);
  const results = first.content.flatMap((block) =>
    block.type === 'tool_use'
      ? [{ type: 'tool_result' as const, tool_use_id: block.id, content: SKIES[(block.input as { city: string }).city]! }]
      : [],
  );
  turns.push({ role: 'assistant', content: first.content }, { role: 'user', content: results });
  const last = await ask(turns);
  return last.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}

const anthropic = ({ url, key }: Gateway) => new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const anthropicRequest = { max_tokens: 1_000, tools: [{ name: NAME, description: DESCRIPTION, input_schema: SCHEMA }] };

const anthropicMessages: Client[] = [
  {
    name: '@anthropic-ai/sdk messages.create',
    talk: (gateway) =>
      messages((turns) => anthropic(gateway).messages.create({ model: gateway.model, messages: turns, ...anthropicRequest })),
  },
  {
    name: '@anthropic-ai/sdk messages.stream',
    talk: (gateway) =>
      messages((turns) =>
        anthropic(gateway)
          .messages.stream({ model: gateway.model, messages: turns, ...anthropicRequest })
          .finalMessage(),
      ),
  },
];

// ---- ai ------------------------------------------------------------------------------------------------------------------------------------

const weather = tool({
  description: DESCRIPTION,
  inputSchema: jsonSchema<{ city: string }>(SCHEMA),
  execute: async ({ city }) => SKIES[city]!,
});

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });

const providerOptions = { openai: { store: false, include: ['reasoning.encrypted_content'] } };

function ai(name: string, modelOf: (gateway: Gateway) => LanguageModel): Client[] {
  const request = (gateway: Gateway) => ({
    model: modelOf(gateway),
    prompt: QUESTION,
    tools: { [NAME]: weather },
    stopWhen: isStepCount(2),
    maxOutputTokens: 1_000,
    maxRetries: 0,
    providerOptions,
  });
  return [
    { name: `ai generateText with ${name}`, talk: async (gateway) => (await generateText(request(gateway))).text },
    {
      name: `ai streamText with ${name}`,
      talk: async (gateway) => {
        const failures: unknown[] = [];
        const text = await streamText({ ...request(gateway), onError: ({ error }) => void failures.push(error) }).text;
        if (failures.length > 0) throw failures[0];
        return text;
      },
    },
  ];
}

const aiClients: Client[] = [
  ...ai('@ai-sdk/openai chat', ({ url, key, model }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).chat(model)),
  ...ai('@ai-sdk/openai responses', ({ url, key, model }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).responses(model)),
  ...ai('@ai-sdk/anthropic', ({ url, key, model }) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key })(model)),
];

// ---- @langchain/openai ---------------------------------------------------------------------------------------------------------------------

function langchain(name: string, fields: object, streaming: boolean): Client {
  return {
    name: `@langchain/openai ${name}`,
    async talk({ url, key, model }) {
      const bound = new ChatOpenAI({ model, apiKey: key, configuration: { baseURL: `${url}/v1` }, maxRetries: 0, ...fields }).bindTools([
        chatTool,
      ]);
      const ask = async (turns: BaseMessage[]) => {
        if (!streaming) return bound.invoke(turns);
        const chunks = [];
        for await (const chunk of await bound.stream(turns)) chunks.push(chunk);
        return chunks.reduce((whole, chunk) => whole.concat(chunk));
      };
      const turns: BaseMessage[] = [new HumanMessage(QUESTION)];
      const first = await ask(turns);
      turns.push(first);
      for (const { id, args } of first.tool_calls ?? []) turns.push(new ToolMessage({ tool_call_id: id!, content: SKIES[args['city']]! }));
      return (await ask(turns)).text;
    },
  };
}

const overResponses = { useResponsesApi: true, zdrEnabled: true, include: ['reasoning.encrypted_content'] };

const langchainClients: Client[] = [
  langchain('invoke', {}, false),
  langchain('stream', {}, true),
  langchain('invoke over Responses', overResponses, false),
  langchain('stream over Responses', overResponses, true),
];

export const CLIENTS: readonly Client[] = [...openaiChat, ...openaiResponses, ...anthropicMessages, ...aiClients, ...langchainClients];
