import { readUsage as readResponsesUsage } from '../openai-responses/usage.js';
import { readUsage } from './usage.js';

test('reasoning is a part of output, so there is never more of it', () => {
  const chat = { prompt_tokens: 3, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 5 } };
  expect(readUsage(chat)).toMatchObject({ output: 1, reasoning: 1 });
  const responses = { input_tokens: 3, output_tokens: 1, output_tokens_details: { reasoning_tokens: 5 } };
  expect(readResponsesUsage(responses)).toMatchObject({ output: 1, reasoning: 1 });
});

test('reasoning that only the total holds is output', () => {
  const raw = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 9, completion_tokens_details: { reasoning_tokens: 5 } };
  expect(readUsage(raw)).toMatchObject({ output: 6, reasoning: 5 });
});
