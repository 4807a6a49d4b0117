/** A model's id, read once in every way that the rows of the table ask for. */
export interface ModelName {
  /** Lower case. */
  id: string;
  /** What stands behind the last slash. */
  bare: string;
  openai: OpenAiName | null;
  /** OpenAI's name anywhere in the id, as in `prod-gpt-4o`; null: there is none. */
  within: Omit<OpenAiName, 'isVendors'> | null;
  /** `opus-5-5`, `haiku-3`; empty: a Claude of no known form; null: none. */
  claude: string | null;
  gemini: GeminiName | null;
  bedrock: BedrockName;
}

interface OpenAiName {
  /** `gpt-5.4`, `gpt-4o`, `gpt-oss`, `o3`, `codex-mini`. */
  line: string;
  /** What follows it, with what a router or a fine-tuning puts behind a colon. */
  rest: string;
  /** The same without that. */
  words: readonly string[];
  /** Nothing but the vendor's own stands before it. */
  isVendors: boolean;
}

interface GeminiName {
  /** Major × 100 + minor; infinite: none that can be read, and so newer than every one that is known. */
  version: number;
  words: readonly string[];
}

export interface BedrockName {
  /** Null: it cannot be told. */
  vendor: string | null;
  /** Without region, vendor and ARN, e.g. `claude-opus-5-5`. */
  name: string;
}

export function readName(model: string): ModelName {
  const id = model.toLowerCase();
  return {
    id,
    bare: id.slice(id.lastIndexOf('/') + 1),
    openai: readOpenAi(id),
    within: findOpenAi(id),
    claude: readClaude(id),
    gemini: readGemini(id),
    bedrock: readBedrock(model),
  };
}

const VENDORS_PREFIX = /^(?:ft:|openai\/|(?:[a-z]+\.)?openai\.)?$/;
const OPENAI = /^(?:chat)?(?<line>gpt-(?:\d+(?:\.\d+)?o?|oss)|o\d+|codex-mini|computer-use)(?:-(?<rest>[^:]*))?$/;

/** Reads `openai/gpt-5.6-sol`, `us.openai.gpt-5.4-2026-03-05`, `ft:gpt-4o:org`, `o4-mini`, …; null when it is none of OpenAI's. */
function readOpenAi(id: string): OpenAiName | null {
  const behind = id
    .replace(/^.*\//, '')
    .replace(/^(?:[a-z]+\.)?openai\./, '')
    .replace(/^ft:/, '');
  const [bare = '', ...suffix] = behind.split(':');
  const groups = OPENAI.exec(bare)?.groups;
  if (!groups) return null;
  const rest = groups['rest'] ?? '';
  return {
    line: groups['line']!,
    rest: [rest, ...suffix].join(':'),
    words: rest.split('-'),
    isVendors: VENDORS_PREFIX.test(id.slice(0, id.length - behind.length)),
  };
}

const WITHIN = /(?<line>gpt-(?:\d+(?:\.\d+)?o?|oss)|(?<=^|[/.:])o\d+)(?<rest>.*)$/;

function findOpenAi(id: string): ModelName['within'] {
  const groups = WITHIN.exec(id)?.groups;
  if (!groups) return null;
  const rest = groups['rest']!.replace(/^-/, '');
  return { line: groups['line']!, rest, words: rest.split(/[-:]/) };
}

/** Six digits and more are a date, `v1` a version of the wrapping. `3-5-haiku-latest` is `haiku-3-5`. */
function readClaude(id: string): string | null {
  const all = id.split(/[-._@:/]+/);
  const at = all.lastIndexOf('claude');
  if (at === -1) return null;
  const words = all.slice(at + 1);
  const end = words.findIndex((word) => /^(?:\d{6,}|v\d+)$/.test(word));
  const meant = end === -1 ? words : words.slice(0, end);
  const line = meant.find((word) => /^[a-z]+$/.test(word)) ?? '';
  const version = meant.filter((word) => /^\d{1,2}$/.test(word)).slice(0, 2);
  // `claude-sonnet-4-0` is an alias of `claude-sonnet-4`.
  return [line, ...(version[1] === '0' ? version.slice(0, 1) : version)].filter(Boolean).join('-');
}

/** `gemini-2.5-flash`, `gemini-live-2.5-flash`; other numbers are dates, or versions of something else. */
function readGemini(id: string): GeminiName | null {
  const found = /^(?:.*[^a-z\d])?(gemini(?![a-z\d]).*)$/.exec(id);
  if (!found) return null;
  const words = found[1]!.split(/[-@:/]/);
  const version = /^(\d{1,2})(?:\.(\d{1,2}))?$/.exec(words[1] === 'live' ? (words[2] ?? '') : (words[1] ?? ''));
  return { version: version ? Number(version[1]) * 100 + Number(version[2] ?? 0) : Number.POSITIVE_INFINITY, words };
}

/** Whose models Bedrock has, as their ids begin. */
const BEDROCK = new Set(
  'ai21 amazon anthropic cohere deepseek google meta minimax mistral moonshot moonshotai nvidia openai qwen writer zai'.split(' '),
);

/**
 * Reads a model id, an inference profile (`us.…`, `global.…`) or the ARN of one. What an application's own profile stands for cannot be told
 * from its ARN.
 */
export function readBedrock(id: string): BedrockName {
  const parts = id.slice(id.lastIndexOf('/') + 1).split('.');
  const at = parts.findIndex((part) => BEDROCK.has(part));
  return at === -1 ? { vendor: null, name: id } : { vendor: parts[at]!, name: parts.slice(at + 1).join('.') };
}

/** A name as the vendor writes it: without a date behind `@`, with dashes in the versions of Claude. */
export function vendorsName(name: string): string {
  const bare = name.toLowerCase().replace(/@.*$/, '');
  return bare.startsWith('claude') ? bare.replace(/(\d)\.(\d)/g, '$1-$2') : bare;
}
