/** What the models of one vendor on Bedrock accept through Converse. Facts as of November 2026. */
export interface BedrockRules {
  /** The most a tool choice may say: nothing, `auto`, `any`, or one tool by name. */
  toolChoice: 'nothing' | 'auto' | 'any' | 'named';
  /** What may stand in a message with tool results. */
  besideResults: 'anything' | 'no-documents' | 'nothing';
  /** What a tool result holds. */
  resultContent: 'text' | 'json';
  /** False: images in a tool result are refused. */
  resultImages: boolean;
  /** False: a tool result must not say that it is an error. */
  resultStatus: boolean;
  /** The only form of tool call ids. */
  callIds: 'any' | 'nine-alphanumerics';
  /** The first message must be a user's. */
  userFirst: boolean;
  /** Where the prompt may be cached up to. */
  cachePoints: { messages: boolean; tools: boolean };
  /** How a JSON schema is asked for: natively, by forcing a tool, or in words. */
  schema: 'native' | 'tool' | 'words';
  /** `strict` on a tool is known. */
  strictTools: boolean;
  /** Where `top_k` goes. */
  topK: 'top_k' | 'nova' | null;
  /** How thinking is asked for. */
  thinking: 'claude' | 'effort' | 'nova' | 'qwen' | null;
}

const PLAIN: BedrockRules = {
  toolChoice: 'auto',
  besideResults: 'anything',
  resultContent: 'text',
  resultImages: true,
  resultStatus: true,
  callIds: 'any',
  userFirst: true,
  cachePoints: { messages: false, tools: false },
  schema: 'words',
  strictTools: false,
  topK: null,
  thinking: null,
};

/** A model whose id tells nothing, such as an application inference profile: what is asked for is sent. */
const OPAQUE: BedrockRules = { ...PLAIN, toolChoice: 'named', cachePoints: { messages: true, tools: true }, schema: 'tool' };

/** Open models of the vendors that AWS lists for structured outputs. */
const STRUCTURED: BedrockRules = { ...PLAIN, schema: 'native', strictTools: true };

const CLAUDE: BedrockRules = {
  ...PLAIN,
  toolChoice: 'named',
  besideResults: 'no-documents',
  userFirst: false,
  cachePoints: { messages: true, tools: true },
  schema: 'native',
  strictTools: true,
  topK: 'top_k',
  thinking: 'claude',
};

const NOVA_1: BedrockRules = { ...PLAIN, toolChoice: 'named', cachePoints: { messages: true, tools: false }, schema: 'tool', topK: 'nova' };
const NOVA: BedrockRules = { ...NOVA_1, thinking: 'nova' };

const MISTRAL: BedrockRules = {
  ...STRUCTURED,
  toolChoice: 'any',
  besideResults: 'nothing',
  resultContent: 'json',
  resultImages: false,
  callIds: 'nine-alphanumerics',
};

/** By vendor, the rules of its models: the first whose name matches, and the newest for a name that none matches. */
const VENDORS: Readonly<Record<string, readonly (readonly [RegExp, BedrockRules])[]>> = {
  amazon: [
    [/^titan/, PLAIN],
    [/^nova-(?:micro|lite|pro|premier)/, NOVA_1],
    [/./, NOVA],
  ],
  anthropic: [[/./, CLAUDE]],
  meta: [[/./, { ...PLAIN, toolChoice: 'nothing', besideResults: 'nothing' }]],
  mistral: [
    [/^(?:mistral-7b|mixtral|mistral-(?:small|large)-24|pixtral)/, { ...MISTRAL, schema: 'tool', strictTools: false }],
    [/./, MISTRAL],
  ],
  deepseek: [
    [/^r1/, PLAIN],
    [/./, STRUCTURED],
  ],
  openai: [[/./, { ...STRUCTURED, thinking: 'effort' }]],
  qwen: [[/./, { ...STRUCTURED, userFirst: false, resultImages: false, thinking: 'qwen' }]],
  moonshot: [[/./, STRUCTURED]],
  moonshotai: [[/./, STRUCTURED]],
  minimax: [[/./, STRUCTURED]],
  nvidia: [[/./, STRUCTURED]],
  google: [[/./, STRUCTURED]],
  zai: [[/./, STRUCTURED]],
  writer: [[/./, { ...PLAIN, resultStatus: false }]],
  cohere: [[/./, PLAIN]],
  ai21: [[/./, PLAIN]],
};

export interface BedrockModel {
  /** Null: it cannot be told. */
  vendor: string | null;
  /** Without region, vendor and ARN, e.g. `claude-opus-5-5`. */
  name: string;
  rules: BedrockRules;
}

/**
 * Reads a model id, an inference profile (`us.…`, `global.…`) or the ARN of one. What an application's own profile stands for cannot be told
 * from its ARN.
 */
export function bedrockModel(id: string): BedrockModel {
  const parts = id.slice(id.lastIndexOf('/') + 1).split('.');
  const at = parts.findIndex((part) => Object.hasOwn(VENDORS, part));
  const vendor = parts[at];
  if (vendor === undefined) return { vendor: null, name: id, rules: OPAQUE };
  const name = parts.slice(at + 1).join('.');
  return { vendor, name, rules: VENDORS[vendor]!.find(([pattern]) => pattern.test(name))?.[1] ?? PLAIN };
}
