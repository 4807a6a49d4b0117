import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { QUESTION } from './readers.js';
import type { Replay } from './replay.js';

/** What comes after the model's turn, for each of its calls, or as the user's next words where it made none. */
interface Next {
  resultOf(call: number): string;
  words: string;
}

/** Has one turn, and sends the model's own words back with what comes next, as a client of one surface does. */
export type Echo = (replay: Replay, model: string, stream: boolean, next: Next) => Promise<void>;

export const echoChat: Echo = async ({ tenant: { openai } }, model, stream, { resultOf, words }) => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: QUESTION }];
  const answer = stream
    ? await openai.chat.completions.stream({ model, messages }).finalMessage()
    : (await openai.chat.completions.create({ model, messages })).choices[0]!.message;
  const results = (answer.tool_calls ?? []).map(({ id }, index) => ({
    role: 'tool' as const,
    tool_call_id: id,
    content: resultOf(index),
  }));
  messages.push(answer, ...(results.length > 0 ? results : [{ role: 'user' as const, content: words }]));
  await openai.chat.completions.create({ model, messages });
};

export const echoResponses: Echo = async ({ tenant: { openai } }, model, stream, { resultOf, words }) => {
  type Item = OpenAI.Responses.ResponseInputItem;
  const input: Item[] = [{ role: 'user', content: QUESTION }];
  const request = { model, store: false, include: ['reasoning.encrypted_content' as const] };
  const output = stream
    ? await itemsOf(await openai.responses.create({ ...request, input, stream: true }))
    : (await openai.responses.create({ ...request, input })).output;
  const calls = output.filter((item) => item.type === 'function_call');
  const results = calls.map(({ call_id }, index) => ({ type: 'function_call_output' as const, call_id, output: resultOf(index) }));
  input.push(...(output as Item[]), ...(results.length > 0 ? results : [{ role: 'user' as const, content: words }]));
  await openai.responses.create({ ...request, input });
};

/** Item by item, as agents do: the last event may hold the same state encrypted anew. */
async function itemsOf(events: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>): Promise<OpenAI.Responses.ResponseOutputItem[]> {
  const items: OpenAI.Responses.ResponseOutputItem[] = [];
  for await (const event of events) if (event.type === 'response.output_item.done') items.push(event.item);
  return items;
}

export const echoMessages: Echo = async ({ weir, tenant }, model, stream, { resultOf, words }) => {
  const client = new Anthropic({ apiKey: tenant.apiKey, baseURL: weir.publicUrl, maxRetries: 0 });
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: QUESTION }];
  const request = { model, max_tokens: 1_000 };
  const { content } = stream
    ? await client.messages.stream({ ...request, messages }).finalMessage()
    : await client.messages.create({ ...request, messages });
  const calls = content.filter((block) => block.type === 'tool_use');
  const results = calls.map(({ id }, index) => ({ type: 'tool_result' as const, tool_use_id: id, content: resultOf(index) }));
  messages.push({ role: 'assistant', content }, { role: 'user', content: results.length > 0 ? results : words });
  await client.messages.create({ ...request, messages });
};
