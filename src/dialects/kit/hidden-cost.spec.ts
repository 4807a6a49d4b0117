import { withoutCost } from './hidden-cost.js';

test.each([
  [
    'of OpenRouter',
    '{"usage":{"prompt_tokens":3,"cost":0.5,"is_byok":false,"cost_details":{"upstream_inference_cost":0.4}}}',
    '{"usage":{"prompt_tokens":3,"is_byok":false}}',
  ],
  ['of DeepInfra', '{"usage": {"estimated_cost": 1e-7, "total_tokens": 1.0}}', '{"usage": { "total_tokens": 1.0}}'],
  ['of xAI', '{"x":1,"usage":{"a":{"b":1},"cost_in_usd_ticks":5}}', '{"x":1,"usage":{"a":{"b":1}}}'],
  ['beside the usage', '{"cost":1,"pricing":{"input":"2"},"id":"x"}', '{"id":"x"}'],
  [
    'of a gateway',
    '{"choices":[{"delta":{"content":"a","provider_metadata":{"gateway":{"cost":"1","marketCost":"2","id":"g"}}}}]}',
    '{"choices":[{"delta":{"content":"a","provider_metadata":{"gateway":{"id":"g"}}}}]}',
  ],
  [
    'of a Message',
    '{"type":"message_start","message":{"usage":{"cost":1,"input_tokens":2}}}',
    '{"type":"message_start","message":{"usage":{"input_tokens":2}}}',
  ],
  ['of a Response', '{"response":{"usage":{"input_tokens":2,"cost":1}}}', '{"response":{"usage":{"input_tokens":2}}}'],
])('what a provider says that a call cost is left out: %s', (_name, given, shown) => {
  expect(withoutCost(given)).toBe(shown);
});

test.each([
  '{"choices":[{"message":{"content":"the \\"cost\\": 5","tool_calls":[{"function":{"arguments":{"cost":5}}}]}}]}',
  '{"content":[{"type":"tool_use","input":{"cost":5,"usage":{"cost":1}}}],"usage":{"input_tokens":1}}',
  '{"response":{"output":[{"usage":{"cost":1}}],"metadata":{"cost":"mine"}}}',
  '"cost"',
  'cost',
  '{"cost',
])('what the model said stays as it is: %s', (given) => expect(withoutCost(given)).toBe(given));
