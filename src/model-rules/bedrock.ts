import { bedrock, type Matcher, type Row, readAt } from './row.js';
import { type BedrockRules, UNKNOWN } from './rules.js';

const PLAIN: BedrockRules = {
  ...UNKNOWN.bedrock,
  toolChoice: 'auto',
  cachePoints: { messages: false, tools: false },
  schema: 'words',
};
const STRUCTURED: BedrockRules = { ...PLAIN, schema: 'native', strictTools: true };
const NOVA_1: BedrockRules = { ...PLAIN, toolChoice: 'named', cachePoints: { messages: true, tools: false }, schema: 'tool', topK: 'nova' };
const MISTRAL: BedrockRules = {
  ...STRUCTURED,
  toolChoice: 'any',
  besideResults: 'nothing',
  resultContent: 'json',
  resultImages: false,
  callIds: 'nine-alphanumerics',
};

/** Whatever is not of Cohere's is asked as a Titan is. */
const titanV1: Matcher = ({ bedrock: { vendor, name } }) => (vendor !== 'cohere' && /-v1\b/.test(name) ? 'named' : null);

const row = readAt('2026-11', "Bedrock's own documentation");

/** What Converse takes for a vendor's models. One that is not known has the rules of its vendor's newest. */
export const ON_BEDROCK: readonly Row[] = [
  row('titan on Bedrock', bedrock(['amazon'], /^titan/), ['amazon.titan-text-express-v1'], { bedrock: PLAIN }),
  row('nova 1 on Bedrock', bedrock(['amazon'], /^nova-(?:micro|lite|pro|premier)/), ['us-gov.amazon.nova-lite-v1:0'], { bedrock: NOVA_1 }),
  row('nova on Bedrock', bedrock(['amazon']), ['us.amazon.nova-2-lite-v1:0'], { bedrock: { ...NOVA_1, thinking: 'nova' } }),
  row('claude on Bedrock', bedrock(['anthropic']), ['us.anthropic.claude-opus-5-5'], {
    bedrock: {
      ...STRUCTURED,
      toolChoice: 'named',
      besideResults: 'no-documents',
      userFirst: false,
      cachePoints: { messages: true, tools: true },
      topK: 'top_k',
      thinking: 'claude',
    },
  }),
  row('llama on Bedrock', bedrock(['meta']), ['meta.llama3-1-8b-instruct-v1:0'], {
    bedrock: { ...PLAIN, toolChoice: 'nothing', besideResults: 'nothing' },
  }),
  row(
    'older mistral on Bedrock',
    bedrock(['mistral'], /^(?:mistral-7b|mixtral|mistral-(?:small|large)-24|pixtral)/),
    ['mistral.mistral-large-2402-v1:0'],
    { bedrock: { ...MISTRAL, schema: 'tool', strictTools: false } },
  ),
  row('mistral on Bedrock', bedrock(['mistral']), ['mistral.magistral-small-2509'], { bedrock: MISTRAL }),
  row('deepseek r1 on Bedrock', bedrock(['deepseek'], /^r1/), ['deepseek.r1-v1:0'], { bedrock: PLAIN }),
  row('openai on Bedrock', bedrock(['openai']), ['global.openai.gpt-5.6-sol'], { bedrock: { ...STRUCTURED, thinking: 'effort' } }),
  row('qwen on Bedrock', bedrock(['qwen']), ['eu.qwen.qwen3-32b-v1:0'], {
    bedrock: { ...STRUCTURED, userFirst: false, resultImages: false, thinking: 'qwen' },
  }),
  // Open models of the vendors that AWS lists for structured outputs.
  row(
    'open models on Bedrock',
    bedrock(['deepseek', 'google', 'minimax', 'moonshot', 'moonshotai', 'nvidia', 'zai']),
    ['deepseek.v3-v1:0', 'zai.glm-4.7'],
    { bedrock: STRUCTURED },
  ),
  row('palmyra on Bedrock', bedrock(['writer']), ['writer.palmyra-x5-v1:0'], { bedrock: { ...PLAIN, resultStatus: false } }),
  row('cohere embed v3 on Bedrock', bedrock(['cohere'], /-v3\b/), ['cohere.embed-english-v3'], { embeddings: { oneLength: true } }),
  row('titan embed v1 on Bedrock', titanV1, ['amazon.titan-embed-text-v1'], { embeddings: { oneLength: true } }),
  row('cohere and ai21 on Bedrock', bedrock(['ai21', 'cohere']), ['cohere.command-r-v1:0'], { bedrock: PLAIN }),
];
