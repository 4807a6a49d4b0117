import { answer, json } from '../support/upstream.js';
import { caseRig, readCase } from './support/case-rig.js';

const rig = caseRig();

const HELLO = [{ role: 'user', content: 'Hi' }];
const BETAS = 'context-1m-2025-08-07, oauth-2025-04-20';
const CLAUDE_ON_BEDROCK = 'anthropic.claude-sonnet-4-5-20250929-v1:0';

const responses = {
  id: 'r',
  object: 'response',
  status: 'completed',
  model: 'm',
  output: [],
  usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
};
const messages = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'text', text: 'a' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 1, output_tokens: 1 },
};
const gemini = {
  candidates: [{ content: { role: 'model', parts: [{ text: 'a' }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
};
const bedrock = readCase('bedrock-betas-dropped-silently').upstream_reply!.body as object;
const ollama = {
  model: 'm',
  message: { role: 'assistant', content: 'a' },
  done: true,
  done_reason: 'stop',
  prompt_eval_count: 1,
  eval_count: 1,
};
const cohere = {
  id: 'c',
  finish_reason: 'COMPLETE',
  message: { role: 'assistant', content: [{ type: 'text', text: 'a' }] },
  usage: { tokens: { input_tokens: 1, output_tokens: 1 } },
};
const text = {
  id: 't',
  object: 'text_completion',
  model: 'm',
  choices: [{ index: 0, text: 'a', finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};
const vectors = {
  object: 'list',
  model: 'm',
  data: [{ object: 'embedding', index: 0, embedding: [0.5] }],
  usage: { prompt_tokens: 1, total_tokens: 1 },
};

/** Providers that have no place for Anthropic's headers, with a reply of theirs. */
const STRANGERS: [type: string, model: string, reply: object | null][] = [
  ['openai (dialect: openai-chat)', 'm', null],
  ['openai (dialect: openai-responses)', 'gpt-5', responses],
  ['openai (dialect: openai-completions)', 'm', text],
  ['gemini', 'gemini-3-flash', gemini],
  ['bedrock', 'meta.llama3-8b-instruct-v1:0', bedrock],
  ['ollama (dialect: ollama)', 'm', ollama],
  ['cohere', 'command-r', cohere],
];
const REQUESTS: [path: string, body: object][] = [
  ['/v1/messages', { messages: HELLO, max_tokens: 50 }],
  ['/v1/chat/completions', { messages: HELLO }],
  ['/v1/responses', { input: 'Hi' }],
  ['/v1/completions', { prompt: 'Hi' }],
];
const PAIRS = STRANGERS.flatMap(([type, model, reply]) => REQUESTS.map(([path, body]) => [path, type, model, body, reply] as const));

const leftOut = (value: string) => `"${value}" is not supported by this provider and was left out.`;

test.each(PAIRS)('on %s to %s every beta that is left out is named once', async (path, type, model, body, reply) => {
  const seen = await rig.send(path, type, model, body, reply ? json(200, reply) : answer(), { 'anthropic-beta': BETAS });
  expect([seen.status, seen.sent!.headers['anthropic-beta']]).toEqual([200, undefined]);
  for (const beta of BETAS.split(', ')) expect(seen.warnings.split(leftOut(`anthropic-beta: ${beta}`))).toHaveLength(2);
});

test.each(PAIRS)('on %s to %s a version other than the usual one is named', async (path, type, model, body, reply) => {
  const script = reply ? json(200, reply) : answer();
  const other = await rig.send(path, type, model, body, script, { 'anthropic-version': '2024-10-22' });
  expect(other.warnings).toContain(leftOut('anthropic-version: 2024-10-22'));
  const usual = await rig.send(path, type, model, body, script, { 'anthropic-version': '2023-06-01' });
  expect(usual.warnings).not.toContain('anthropic-version');
});

test('embeddings name them too', async () => {
  const headers = { 'anthropic-beta': BETAS, 'anthropic-version': '2024-10-22' };
  const seen = await rig.send('/v1/embeddings', 'openai', 'm', { input: 'Hi' }, json(200, vectors), headers);
  expect(seen.status).toBe(200);
  for (const beta of BETAS.split(', ')) expect(seen.warnings).toContain(leftOut(`anthropic-beta: ${beta}`));
  expect(seen.warnings).toContain(leftOut('anthropic-version: 2024-10-22'));
});

test.each(REQUESTS)('on %s betas reach Claude, at Anthropic and on Bedrock', async (path, body) => {
  const headers = { 'anthropic-beta': BETAS };
  const own = await rig.send(path, 'anthropic', 'claude-sonnet-4-5', body, json(200, messages), headers);
  expect([own.status, own.sent!.headers['anthropic-beta']]).toEqual([200, 'context-1m-2025-08-07,oauth-2025-04-20']);
  expect(own.warnings).not.toContain('anthropic-beta');
  const seen = await rig.send(path, 'bedrock', CLAUDE_ON_BEDROCK, body, json(200, bedrock), headers);
  expect((seen.sent!.body['additionalModelRequestFields'] as Record<string, unknown>)['anthropic_beta']).toEqual(['context-1m-2025-08-07']);
  expect(seen.warnings).toContain(leftOut('anthropic-beta: oauth-2025-04-20'));
});

test('betas stand beside the one that Weir needs for files', async () => {
  const body = { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file_1' } }] }] };
  const seen = await rig.send('/v1/chat/completions', 'anthropic', 'claude-sonnet-4-5', body, json(200, messages), {
    'anthropic-beta': BETAS,
  });
  expect(seen.sent!.headers['anthropic-beta']).toBe('context-1m-2025-08-07,oauth-2025-04-20,files-api-2025-04-14');
});
