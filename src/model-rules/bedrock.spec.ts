import { bedrockModel } from './index.js';

test.each([
  ['anthropic.claude-3-haiku-20240307-v1:0', 'anthropic', 'claude-3-haiku-20240307-v1:0'],
  ['us.anthropic.claude-opus-5-5', 'anthropic', 'claude-opus-5-5'],
  ['us-gov.amazon.nova-lite-v1:0', 'amazon', 'nova-lite-v1:0'],
  ['global.openai.gpt-5.6-sol', 'openai', 'gpt-5.6-sol'],
  ['arn:aws:bedrock:us-east-1:1:inference-profile/eu.qwen.qwen3-32b-v1:0', 'qwen', 'qwen3-32b-v1:0'],
  ['arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-1-8b-instruct-v1:0', 'meta', 'llama3-1-8b-instruct-v1:0'],
])('%s is of %s', (id, vendor, name) => expect(bedrockModel(id)).toMatchObject({ vendor, name }));

test('an application’s own profile tells nothing, so what is asked for is sent', () =>
  expect(bedrockModel('arn:aws:bedrock:us-east-1:1:application-inference-profile/abc')).toMatchObject({
    vendor: null,
    rules: { toolChoice: 'named', thinking: null },
  }));

test('a model that is not known has the rules of its vendor’s newest', () => {
  expect(bedrockModel('amazon.nova-9-ultra-v1:0').rules).toEqual(bedrockModel('amazon.nova-2-lite-v1:0').rules);
  expect(bedrockModel('deepseek.v9').rules).toEqual(bedrockModel('deepseek.v3-v1:0').rules);
  expect(bedrockModel('mistral.next-1').rules).toEqual(bedrockModel('mistral.magistral-small-2509').rules);
});
