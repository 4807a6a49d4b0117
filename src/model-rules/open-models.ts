import { grid, type MediaRule, patches, UNKNOWN_MEDIA } from './media.js';
import { bare, like, type Row, readAt } from './row.js';
import { type HiddenPrompt, type ModelFacts, type OpenRules, UNKNOWN_FACTS } from './rules.js';

const TEXT_ONLY: Partial<ModelFacts> = { ...UNKNOWN_FACTS, vision: false, reasoning: false };
const SEES: Partial<ModelFacts> = { ...UNKNOWN_FACTS, vision: true, reasoning: false };
const BLIND: Partial<ModelFacts> = { ...UNKNOWN_FACTS, vision: false };

const NO_THINKING: Partial<OpenRules> = { thinking: 'none' };

/**
 * The default system prompts and the words around tools in the chat templates that are published with the models (tokenizer_config.json and
 * chat_template.jinja of each on huggingface.co). Hosts change them, so no exact number has a source: more than any of them.
 */
const SHORT: HiddenPrompt = { always: 128, withTools: 512, tellsForms: false };
const LONG: HiddenPrompt = { always: 1_000, withTools: 1_000, tellsForms: false };

const BY_ADDRESS: MediaRule = { ...UNKNOWN_MEDIA, anyKindByAddress: false };

/**
 * Open models, as they are named where anyone may host them; what differs between hosts stands in no row. Servers refuse to be asked for thinking
 * by a model that has none. Images: the processors published with the models; docs.mistral.ai/capabilities/vision; docs.x.ai, image understanding.
 */
const row = readAt('2026-11', 'the model cards and chat templates on huggingface.co');

export const OPEN_MODELS: readonly Row[] = [
  // "Our system will add additional formatting tokens" (docs.x.ai/developers/rate-limits). No source for how many; the dearest of another family.
  row('grok', like(/(?:^|[/.])grok/), ['grok-4', 'x-ai/grok-4-fast'], { hiddenPrompt: { always: 1_000, withTools: 0, tellsForms: false } }),

  row('llama 3, text', like(/llama-?(?:3|3[.-][013])(?![.\d]).*(?<!vision)$/), ['llama-3.3-70b'], { facts: TEXT_ONLY }),
  row('llama 3.2, text', like(/llama-?3[.-]2-[13]b/), ['llama-3.2-3b'], { facts: TEXT_ONLY }),
  row('llama with eyes', like(/llama-?(?:4|3[.-]2-(?:11|90)b)/), ['llama-4-maverick', 'llama-3.2-11b-vision'], { facts: SEES }),
  row('llama up to 4', like(/(?:^|[-/])(?:code)?llama-?[1-4]?(?![a-z])|codellama|llava|tinyllama/), ['llama3.1:70b', 'tinyllama'], {
    open: NO_THINKING,
  }),
  row(
    'older open models',
    like(/vicuna|alpaca|orca|openchat|starling|zephyr|neural-chat|smollm|falcon|yi(?:-|:|$)|stablelm|dolphin|solar/),
    ['falcon'],
    {
      open: NO_THINKING,
    },
  ),
  row('small open models', like(/una-cybertron|discolm|sqlcoder/), ['sqlcoder'], { open: NO_THINKING }),
  row('hermes up to 3', like(/hermes-?[23]?(?![a-z4-9])/), ['hermes-3'], { open: NO_THINKING }),

  row('mistral, with long prompts', like(/magistral|devstral|mistral-small/), ['magistral-medium', 'devstral-small'], {
    hiddenPrompt: LONG,
  }),
  row('mistral, text', like(/mixtral|codestral|mistral-(?:7b|nemo)/), ['mixtral-8x7b', 'mistral-nemo'], { facts: TEXT_ONLY }),
  row(
    'mistral without thinking',
    like(/mi[sx]tral(?!.*(?:large-?3|medium-?3))|codestral|ministral|nemo|devstral/),
    ['mistral:7b', 'ministral-8b'],
    {
      open: NO_THINKING,
    },
  ),
  row('pixtral', like(/pixtral/), ['pixtral-large'], { facts: SEES }),
  row('gemma up to 3', like(/gemma-?[1-3]?(?![0-9a-z])|gemma-?(?:7b|2b)/), ['gemma2:9b'], { open: NO_THINKING }),
  row('phi up to 4', like(/phi-?[1-4](?!.*reasoning)/), ['phi4:14b'], { open: NO_THINKING }),
  row('granite up to 3', like(/granite-?[1-3](?![0-9])/), ['granite-3'], { open: NO_THINKING }),
  row('deepseek r1 and qwq', like(/deepseek-r1|qwq/), ['deepseek-r1:8b', 'qwen/qwq-32b'], {
    facts: { ...UNKNOWN_FACTS, vision: false, reasoning: true },
  }),
  row('text models that may reason', like(/deepseek-v3|qwen-?2\.5-coder|command-r(?:-|$)/), ['deepseek-v3.1', 'command-r'], {
    facts: BLIND,
  }),
  row('deepseek without thinking', like(/deepseek-(?:coder|math|v2|llm)/), ['deepseek-coder:6.7b'], { open: NO_THINKING }),
  row('qwen with eyes', like(/qwen.*-vl/), ['qwen3-vl'], { facts: { ...UNKNOWN_FACTS, vision: true } }),
  row('qwen up to 2.5', like(/qwen-?(?:1(?:\.5)?|2(?:\.5)?)(?![0-9])/), ['qwen2.5-coder:32b'], { open: NO_THINKING }),

  row('cohere', like(/command-[ar]|c4ai|aya-/), ['command-a-03-2025', 'c4ai-aya-vision'], { hiddenPrompt: LONG }),
  row('cohere without thinking', like(/command-r|aya/), ['command-r7b-12-2024'], { open: NO_THINKING }),
  row(
    'cohere that plans',
    bare(
      /^(?:command$|command-(?:light|nightly|r|r-plus|r7b)(?:-|$)|command-r-plus|command-a-\d|command-a-(?:vision|translate)(?:-|$)|c4ai-)/,
    ),
    ['command-r-plus-08-2024', 'command-a-03-2025', 'c4ai-aya-expanse-8b'],
    { cohere: { thinks: false } },
  ),

  row('mistral', like(/pixtral|mistral|ministral|magistral/), ['mistral-large-2411'], {
    media: { ...BY_ADDRESS, ...patches(16, 64 * 64), mostImage: 64 * 65 },
  }),
  row('qwen', like(/qwen|qvq/), ['qwen3-32b', 'qvq-72b'], { media: { ...UNKNOWN_MEDIA, ...patches(28, 16_384) } }),
  row('qwen on Groq', like(/qwen/), ['qwen/qwen3-32b'], { open: { onGroq: 'format' } }),
  row('llama', like(/llama/), ['meta-llama/llama-3.3-70b'], { media: { ...BY_ADDRESS, ...grid(336, 1_601, 6_404) } }),
  row('grok, images', like(/grok/), ['grok-4'], { media: { ...BY_ADDRESS, ...grid(448, 256, 1_792) } }),
  row(
    'open models with short prompts',
    like(/qwen|qwq|llama|mi[sx]tral|ministral|deepseek|kimi|glm-|minimax|hermes|granite|phi-|nemotron/),
    ['kimi-k2', 'glm-4.6', 'deepseek-chat'],
    { hiddenPrompt: SHORT },
  ),
];
