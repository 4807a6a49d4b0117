import { type Content, FunctionCallingConfigMode, GoogleGenAI, ThinkingLevel } from '@google/genai';
import { REPLY_FORMATS } from '../../support/tool-replies.js';
import { eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { DESCRIPTION, NAME, QUESTION, SCHEMA } from './clients.js';

/** Google's own SDK and Weir have the same conversation; what they send has to mean the same. */

const STATE = `${'Ab+/9'.repeat(60)}==`;
const INSTRUCTION = 'Answer in one sentence.';
const MODEL = 'gemini-3-flash';

const { tenant, upstream } = withWeir();

beforeAll(async () => {
  upstream.script = REPLY_FORMATS.gemini.says({ text: 'Sunny.', usage: { input: 9, cacheRead: 0, output: 3 } });
  const base_url = `http://${upstream.hostPort}`;
  await tenant.admin('POST', '/v1/organization/providers', { name: 'gemini', type: 'gemini', base_url, key: 'secret', models: ['*'] });
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'gemini', model: '*', input: '1', output: '2' });
  const isKnown = () =>
    tenant.openai.models.retrieve(`gemini/${MODEL}`).then(
      () => true,
      () => false,
    );
  await eventually(isKnown);
});

beforeEach(() => {
  upstream.calls.length = 0;
});

const contents: Content[] = [
  { role: 'user', parts: [{ text: QUESTION }] },
  {
    role: 'model',
    parts: [
      { functionCall: { id: 'call_0', name: NAME, args: { city: 'Bern' } }, thoughtSignature: STATE },
      { functionCall: { id: 'call_1', name: NAME, args: { city: 'Basel' } } },
    ],
  },
  {
    role: 'user',
    parts: [
      { functionResponse: { id: 'call_0', name: NAME, response: { sky: 'sunny' } } },
      { functionResponse: { id: 'call_1', name: NAME, response: { result: 'rain' } } },
    ],
  },
];

const call = (id: string, city: string, signature?: string) => ({
  id,
  type: 'function' as const,
  function: { name: NAME, arguments: JSON.stringify({ city }) },
  ...(signature && { extra_content: { google: { thought_signature: signature } } }),
});

const messages = [
  { role: 'system' as const, content: INSTRUCTION },
  { role: 'user' as const, content: QUESTION },
  { role: 'assistant' as const, content: null, tool_calls: [call('call_0', 'Bern', STATE), call('call_1', 'Basel')] },
  { role: 'tool' as const, tool_call_id: 'call_0', content: '{"sky":"sunny"}' },
  { role: 'tool' as const, tool_call_id: 'call_1', content: 'rain' },
];

const ANSWER = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] };

test.each([[false], [true]])('a second turn with results, streamed: %s', async (stream) => {
  const genai = new GoogleGenAI({ apiKey: 'secret', httpOptions: { baseUrl: `http://${upstream.hostPort}`, apiVersion: 'v1beta' } });
  const request = {
    model: MODEL,
    contents,
    config: {
      systemInstruction: INSTRUCTION,
      temperature: 0.5,
      topP: 0.9,
      maxOutputTokens: 500,
      stopSequences: ['END'],
      seed: 7,
      presencePenalty: 0.5,
      responseMimeType: 'application/json',
      responseJsonSchema: ANSWER,
      thinkingConfig: { thinkingLevel: ThinkingLevel.LOW, includeThoughts: true },
      tools: [{ functionDeclarations: [{ name: NAME, description: DESCRIPTION, parametersJsonSchema: SCHEMA }] }],
      toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: [NAME] } },
    },
  };
  if (stream) for await (const _ of await genai.models.generateContentStream(request));
  else await genai.models.generateContent(request);

  const asked = {
    model: `gemini/${MODEL}`,
    messages,
    temperature: 0.5,
    top_p: 0.9,
    max_completion_tokens: 500,
    stop: ['END'],
    seed: 7,
    presence_penalty: 0.5,
    reasoning_effort: 'low' as const,
    response_format: { type: 'json_schema' as const, json_schema: { name: 'answer', schema: ANSWER } },
    tools: [{ type: 'function' as const, function: { name: NAME, description: DESCRIPTION, parameters: SCHEMA } }],
    tool_choice: { type: 'function' as const, function: { name: NAME } },
  };
  if (stream) for await (const _ of await tenant.openai.chat.completions.create({ ...asked, stream: true }));
  else await tenant.openai.chat.completions.create(asked);

  const [theirs, ours] = upstream.calls;
  expect(ours!.path).toBe(theirs!.path);
  expect(ours!.headers['x-goog-api-key']).toBe(theirs!.headers['x-goog-api-key']);
  expect(meaning(ours!.body)).toEqual(meaning(theirs!.body));
});

/** An instruction has no role, though the SDK gives it one. */
function meaning({ systemInstruction, ...body }: Record<string, unknown>): object {
  return { ...body, systemInstruction: (systemInstruction as Content).parts };
}
