import { readUsage as readResponsesUsage } from '../openai-responses/usage.js';
import { readUsage } from './usage.js';

test('reasoning is told as it was reported, also where it is more than the output it is a part of', () => {
  const chat = { prompt_tokens: 3, completion_tokens: 10, completion_tokens_details: { reasoning_tokens: 11 } };
  expect(readUsage(chat)).toMatchObject({ output: 10, reasoning: 11 });
  const responses = { input_tokens: 3, output_tokens: 10, output_tokens_details: { reasoning_tokens: 11 } };
  expect(readResponsesUsage(responses)).toMatchObject({ output: 10, reasoning: 11 });
});

test('reasoning that only the total holds is output', () => {
  const raw = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 9, completion_tokens_details: { reasoning_tokens: 5 } };
  expect(readUsage(raw)).toMatchObject({ output: 6, reasoning: 5 });
});
