import type { ProviderType } from '../provider.js';
import { STREAMS_STOP } from './client-gone.js';
import { compatible, entry } from './entry.js';
import { HELICONE_ENVIRONMENT } from './environment.js';

/** Vendors that speak OpenAI's chat format. */
export const COMPATIBLE: readonly ProviderType[] = [
  entry('openrouter', 'OpenRouter', 'https://openrouter.ai/api/v1', ['OPENROUTER_API_KEY'], {
    dialects: ['openai-chat', 'openai-responses'],
    catalogId: 'openrouter',
    quirks: { thinking: 'openrouter' },
  }),
  compatible('groq', 'Groq', 'https://api.groq.com/openai/v1', ['GROQ_API_KEY'], { catalogId: 'groq', quirks: { thinking: 'groq' } }),
  compatible('mistral', 'Mistral', 'https://api.mistral.ai/v1', ['MISTRAL_API_KEY'], {
    catalogId: 'mistral',
    quirks: {
      maxTokensField: 'max_tokens',
      requiredToolChoice: 'any',
      toolCallIds: 'nine-alphanumerics',
      seedField: 'random_seed',
      strictTools: false,
      reasoningBack: 'never',
      thinking: 'none',
      // It answers 422 to fields that it does not know. As of 2026-11.
      refusedFields: [
        'store',
        'logit_bias',
        'logprobs',
        'top_logprobs',
        'service_tier',
        'safety_identifier',
        'prompt_cache_key',
        'verbosity',
      ],
    },
  }),
  compatible('deepseek', 'DeepSeek', 'https://api.deepseek.com', ['DEEPSEEK_API_KEY'], {
    catalogId: 'deepseek',
    clientGone: STREAMS_STOP,
    quirks: { textContent: true, reasoningBack: 'always', thinking: 'deepseek', jsonSchema: false },
  }),
  compatible('xai', 'xAI', 'https://api.x.ai/v1', ['XAI_API_KEY'], { catalogId: 'x-ai', clientGone: STREAMS_STOP, aliases: ['grok'] }),
  compatible('together', 'Together AI', 'https://api.together.xyz/v1', ['TOGETHER_API_KEY'], {
    catalogId: 'together',
    clientGone: STREAMS_STOP,
    aliases: ['together-ai'],
  }),
  compatible('fireworks', 'Fireworks AI', 'https://api.fireworks.ai/inference/v1', ['FIREWORKS_API_KEY'], {
    catalogId: 'fireworks',
    clientGone: STREAMS_STOP,
    aliases: ['fireworks-ai'],
  }),
  compatible('cerebras', 'Cerebras', 'https://api.cerebras.ai/v1', ['CEREBRAS_API_KEY'], { catalogId: 'cerebras' }),
  compatible('perplexity', 'Perplexity', 'https://api.perplexity.ai', ['PERPLEXITY_API_KEY'], { catalogId: 'perplexity' }),
  compatible('nvidia', 'NVIDIA', 'https://integrate.api.nvidia.com/v1', ['NVIDIA_API_KEY'], {
    aliases: ['nvidia-nim', 'build.nvidia.com'],
  }),
  compatible('vercel', 'Vercel AI Gateway', 'https://ai-gateway.vercel.sh/v1', ['AI_GATEWAY_API_KEY', 'VERCEL_API_KEY'], {
    aliases: ['vercel-ai'],
  }),
  compatible('helicone', 'Helicone, with its key beside OpenAI’s', 'https://oai.helicone.ai/v1', [], {
    environment: HELICONE_ENVIRONMENT,
    quirks: { developerRole: true },
  }),
  compatible('portkey', 'Portkey', 'https://api.portkey.ai/v1', ['PORTKEY_API_KEY'], {
    auth: { kind: 'header', name: 'x-portkey-api-key' },
  }),
  compatible('venice', 'Venice', 'https://api.venice.ai/api/v1', ['VENICE_API_KEY']),
  compatible('synthetic', 'Synthetic', 'https://api.synthetic.new/openai/v1', ['SYNTHETIC_API_KEY']),
  compatible('opencode', 'OpenCode Zen', 'https://opencode.ai/zen/v1', ['OPENCODE_API_KEY'], { aliases: ['opencode-zen'] }),
  compatible('opencode-go', 'OpenCode Go', 'https://opencode.ai/zen/go/v1', ['OPENCODE_GO_API_KEY']),
  compatible('astrai', 'Astrai', 'https://as-trai.com/v1', ['ASTRAI_API_KEY']),
  compatible('ovhcloud', 'OVHcloud AI Endpoints', 'https://oai.endpoints.kepler.ai.cloud.ovh.net/v1', ['OVH_AI_ENDPOINTS_ACCESS_TOKEN'], {
    catalogId: 'ovhcloud',
    aliases: ['ovh'],
  }),

  // In China, and their addresses elsewhere. Keys are bound to the region.
  compatible('moonshot', 'Moonshot AI', 'https://api.moonshot.cn/v1', ['MOONSHOT_API_KEY'], {
    catalogId: 'moonshotai',
    quirks: { requiredToolChoice: null, reasoningBack: 'always' },
    aliases: ['kimi', 'moonshot-cn', 'kimi-cn'],
    regions: { 'https://api.moonshot.ai/v1': ['moonshot-intl', 'moonshot-global', 'kimi-intl', 'kimi-global'] },
  }),
  compatible('kimi-code', 'Kimi for Coding', 'https://api.kimi.com/coding/v1', ['KIMI_CODE_API_KEY', 'KIMI_API_KEY'], {
    aliases: ['kimi_coding', 'kimi_for_coding'],
    quirks: { reasoningBack: 'always' },
  }),
  compatible('zai', 'Z.AI, coding plan', 'https://api.z.ai/api/coding/paas/v4', ['ZAI_API_KEY'], {
    catalogId: 'zai',
    auth: { kind: 'zhipu' },
    quirks: { reasoningBack: 'always' },
    aliases: ['z.ai', 'zai-global', 'z.ai-global'],
    regions: { 'https://open.bigmodel.cn/api/coding/paas/v4': ['zai-cn', 'z.ai-cn'] },
  }),
  compatible('glm', 'Zhipu GLM, pay as you go', 'https://api.z.ai/api/paas/v4', ['GLM_API_KEY', 'ZHIPU_API_KEY'], {
    catalogId: 'zhipuai',
    auth: { kind: 'zhipu' },
    quirks: { reasoningBack: 'always' },
    aliases: ['zhipu', 'glm-global', 'zhipu-global'],
    regions: { 'https://open.bigmodel.cn/api/paas/v4': ['glm-cn', 'zhipu-cn', 'bigmodel'] },
  }),
  compatible('minimax', 'MiniMax', 'https://api.minimax.io/v1', ['MINIMAX_API_KEY'], {
    catalogId: 'minimax',
    quirks: { singleSystem: true },
    aliases: ['minimax-intl', 'minimax-io', 'minimax-global'],
    regions: { 'https://api.minimaxi.com/v1': ['minimax-cn', 'minimaxi'] },
  }),
  compatible('qwen', 'Alibaba Qwen', 'https://dashscope.aliyuncs.com/compatible-mode/v1', ['DASHSCOPE_API_KEY'], {
    aliases: ['dashscope', 'qwen-cn', 'dashscope-cn'],
    regions: {
      'https://dashscope-intl.aliyuncs.com/compatible-mode/v1': [
        'qwen-intl',
        'dashscope-intl',
        'qwen-international',
        'dashscope-international',
      ],
      'https://dashscope-us.aliyuncs.com/compatible-mode/v1': ['qwen-us', 'dashscope-us'],
    },
  }),
  compatible('bailian', 'Alibaba Bailian, coding plan', 'https://coding.dashscope.aliyuncs.com/v1', ['BAILIAN_API_KEY'], {
    aliases: ['aliyun-bailian', 'aliyun'],
  }),
  compatible('qianfan', 'Baidu Qianfan', 'https://qianfan.baidubce.com/v2', ['QIANFAN_API_KEY'], { aliases: ['baidu'] }),
  compatible(
    'doubao',
    'ByteDance Doubao',
    'https://ark.cn-beijing.volces.com/api/v3',
    ['ARK_API_KEY', 'VOLCENGINE_API_KEY', 'DOUBAO_API_KEY'],
    {
      aliases: ['volcengine', 'ark', 'doubao-cn'],
    },
  ),
  compatible('siliconflow', 'SiliconFlow', 'https://api.siliconflow.com/v1', ['SILICONFLOW_API_KEY'], {
    aliases: ['silicon-flow'],
    regions: { 'https://api.siliconflow.cn/v1': ['siliconflow-cn'] },
  }),
  compatible('stepfun', 'StepFun', 'https://api.stepfun.com/v1', ['STEPFUN_API_KEY'], { aliases: ['step', 'stepfun-ai'] }),
  compatible('baichuan', 'Baichuan', 'https://api.baichuan-ai.com/v1', ['BAICHUAN_API_KEY']),
  compatible('yi', '01.AI Yi', 'https://api.lingyiwanwu.com/v1', ['YI_API_KEY'], { aliases: ['01ai', 'lingyiwanwu'] }),
  compatible('hunyuan', 'Tencent Hunyuan', 'https://api.hunyuan.cloud.tencent.com/v1', ['HUNYUAN_API_KEY'], { aliases: ['tencent'] }),

  compatible('telnyx', 'Telnyx', 'https://api.telnyx.com/v2/ai', ['TELNYX_API_KEY']),
  compatible('novita', 'Novita', 'https://api.novita.ai/openai/v1', ['NOVITA_API_KEY'], {
    catalogId: 'novita',
    clientGone: STREAMS_STOP,
  }),
  compatible('aihubmix', 'AiHubMix', 'https://aihubmix.com/v1', ['AIHUBMIX_API_KEY']),
  compatible('sambanova', 'SambaNova', 'https://api.sambanova.ai/v1', ['SAMBANOVA_API_KEY']),
  compatible('hyperbolic', 'Hyperbolic', 'https://api.hyperbolic.xyz/v1', ['HYPERBOLIC_API_KEY'], { clientGone: STREAMS_STOP }),
  compatible('deepinfra', 'DeepInfra', 'https://api.deepinfra.com/v1/openai', ['DEEPINFRA_API_KEY'], {
    aliases: ['deep-infra'],
    clientGone: STREAMS_STOP,
  }),
  compatible('huggingface', 'Hugging Face', 'https://router.huggingface.co/v1', [], { aliases: ['hf'] }),
  compatible('ai21', 'AI21', 'https://api.ai21.com/studio/v1', ['AI21_API_KEY'], { aliases: ['ai21-labs'] }),
  compatible('reka', 'Reka', 'https://api.reka.ai/v1', ['REKA_API_KEY']),
  compatible('baseten', 'Baseten', 'https://inference.baseten.co/v1', ['BASETEN_API_KEY'], { catalogId: 'baseten' }),
  compatible('nscale', 'Nscale', 'https://inference.api.nscale.com/v1', ['NSCALE_API_KEY']),
  compatible('nebius', 'Nebius', 'https://api.tokenfactory.nebius.com/v1', ['NEBIUS_API_KEY']),
  compatible('friendli', 'Friendli', 'https://api.friendli.ai/serverless/v1', ['FRIENDLI_TOKEN'], {
    aliases: ['friendliai'],
    clientGone: STREAMS_STOP,
  }),
  compatible('avian', 'Avian', 'https://api.avian.io/v1', ['AVIAN_API_KEY'], { catalogId: 'avian' }),
  compatible('deepmyst', 'DeepMyst', 'https://api.deepmyst.com/v1', ['DEEPMYST_API_KEY'], { aliases: ['deep-myst'] }),
  compatible('nearai', 'NEAR AI', 'https://cloud-api.near.ai/v1', ['NEARAI_API_KEY']),
  compatible('atlascloud', 'Atlas Cloud', 'https://api.atlascloud.ai/v1', ['ATLASCLOUD_API_KEY']),
  compatible('manifest', 'Manifest', 'https://app.manifest.build/v1', ['MANIFEST_API_KEY']),
  compatible('morph', 'Morph', 'https://api.morphllm.com/v1', ['MORPH_API_KEY']),
  compatible('github-models', 'GitHub Models', 'https://models.github.ai/inference', []),
  compatible('upstage', 'Upstage', 'https://api.upstage.ai/v1', ['UPSTAGE_API_KEY']),
  compatible('featherless', 'Featherless', 'https://api.featherless.ai/v1', ['FEATHERLESS_API_KEY']),
  compatible('arcee', 'Arcee', 'https://api.arcee.ai/api/v1', ['ARCEE_API_KEY'], { catalogId: 'arcee' }),
  compatible('lambda-ai', 'Lambda', 'https://api.lambda.ai/v1', ['LAMBDA_API_KEY']),
  compatible('inception', 'Inception', 'https://api.inceptionlabs.ai/v1', ['INCEPTION_API_KEY']),
  compatible('kilo', 'Kilo', 'https://api.kilo.ai/api/gateway', ['KILO_API_KEY']),
];
