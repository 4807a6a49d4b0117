import type { ThinkingLevel } from '../canonical.js';
import { remembered } from '../kit/remembered.js';

/** What `reasoning_effort` and `reasoning.effort` may be, by rising effort. */
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof EFFORTS)[number];

/** What one family of OpenAI's models accepts. */
export interface OpenAiRules {
  /** Reasons when no effort is sent. */
  reasons: boolean;
  /** By rising effort. Empty: the model takes none. */
  efforts: readonly Effort[];
  /** temperature, top_p, penalties, logit_bias and logprobs. `without-reasoning`: when the effort is none, asked for or by default. */
  sampling: 'allowed' | 'without-reasoning' | 'refused';
  stop: boolean;
  /** False: `max_tokens` is refused on chat, `max_completion_tokens` is wanted. */
  maxTokens: boolean;
  /** `user`: neither `system` nor `developer` is known. */
  systemRole: 'system' | 'user';
  /** When `/chat/completions` takes function tools. `without-effort`: unless an effort other than none is sent. `effort-none`: only when none is sent. */
  toolsOnChat: 'allowed' | 'without-effort' | 'effort-none' | 'refused';
  /** Served on `/responses` only. */
  responsesOnly: boolean;
  /** A part of the prompt may be marked with `prompt_cache_breakpoint`. */
  cacheBreakpoints: boolean;
  /** Highest effort that `/chat/completions` takes, where it is not the highest. */
  chatEffortMax?: Effort;
}

/** Facts as of November 2026. */
const PLAIN: OpenAiRules = {
  reasons: false,
  efforts: [],
  sampling: 'allowed',
  stop: true,
  maxTokens: true,
  systemRole: 'system',
  toolsOnChat: 'allowed',
  responsesOnly: false,
  cacheBreakpoints: false,
};

/** A name that tells nothing, such as an Azure deployment's: what is asked for is sent. */
const OPAQUE: OpenAiRules = { ...PLAIN, efforts: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] };

const O_SERIES: OpenAiRules = { ...PLAIN, reasons: true, efforts: ['low', 'medium', 'high'], sampling: 'refused', maxTokens: false };

const GPT_5: OpenAiRules = { ...O_SERIES, efforts: ['minimal', 'low', 'medium', 'high'] };
const GPT_5_1: OpenAiRules = { ...GPT_5, reasons: false, efforts: ['none', 'low', 'medium', 'high'], sampling: 'without-reasoning' };
const GPT_5_2: OpenAiRules = { ...GPT_5_1, efforts: ['none', 'low', 'medium', 'high', 'xhigh'] };
const GPT_5_4: OpenAiRules = { ...GPT_5_2, toolsOnChat: 'without-effort' };
const GPT_5_5: OpenAiRules = { ...GPT_5_4, reasons: true };
const GPT_5_6: OpenAiRules = { ...GPT_5_5, toolsOnChat: 'effort-none', cacheBreakpoints: true };
const GPT_6: OpenAiRules = { ...GPT_5_6, sampling: 'refused', stop: false };
const NEWEST: OpenAiRules = {
  ...GPT_6,
  efforts: ['low', 'medium', 'high', 'xhigh', 'max'],
  toolsOnChat: 'refused',
  chatEffortMax: 'xhigh',
};

const PRO: OpenAiRules = { ...GPT_5, efforts: ['medium', 'high', 'xhigh'] };
const CHAT_LATEST: OpenAiRules = { ...GPT_5, efforts: ['medium'] };

interface Row {
  /** `gpt-` and a version, or the o series with its number. */
  of: string;
  /** A word that the rest of the id has; absent: any. */
  variant?: string;
  rules: OpenAiRules;
}

/** The first that fits counts. */
const TABLE: readonly Row[] = [
  { of: 'gpt-6.1', variant: 'sol', rules: NEWEST },
  { of: 'gpt-6', variant: 'astra', rules: NEWEST },
  { of: 'gpt-6', variant: 'sol', rules: GPT_6 },
  { of: 'gpt-6', variant: 'luna', rules: GPT_6 },
  { of: 'gpt-5.6', rules: GPT_5_6 },
  { of: 'gpt-5.5', variant: 'pro', rules: PRO },
  { of: 'gpt-5.5', rules: GPT_5_5 },
  { of: 'gpt-5.4', variant: 'pro', rules: PRO },
  { of: 'gpt-5.4', rules: GPT_5_4 },
  { of: 'gpt-5.3', variant: 'chat', rules: CHAT_LATEST },
  { of: 'gpt-5.3', rules: GPT_5_2 },
  { of: 'gpt-5.2', variant: 'pro', rules: PRO },
  { of: 'gpt-5.2', variant: 'chat', rules: CHAT_LATEST },
  { of: 'gpt-5.2', rules: GPT_5_2 },
  { of: 'gpt-5.1', variant: 'max', rules: { ...GPT_5, efforts: ['low', 'medium', 'high', 'xhigh'] } },
  { of: 'gpt-5.1', variant: 'codex', rules: { ...GPT_5, efforts: ['low', 'medium', 'high'] } },
  { of: 'gpt-5.1', variant: 'chat', rules: CHAT_LATEST },
  { of: 'gpt-5.1', rules: GPT_5_1 },
  { of: 'gpt-5', variant: 'chat', rules: { ...PLAIN, maxTokens: false } },
  { of: 'gpt-5', variant: 'pro', rules: { ...GPT_5, efforts: ['high'] } },
  { of: 'gpt-5', variant: 'codex', rules: { ...GPT_5, efforts: ['low', 'medium', 'high'] } },
  { of: 'gpt-5', rules: GPT_5 },
  { of: 'gpt-4.5', rules: PLAIN },
  { of: 'gpt-4.1', rules: PLAIN },
  { of: 'gpt-4', rules: PLAIN },
  { of: 'gpt-3.5', rules: PLAIN },
  { of: 'gpt-3', rules: PLAIN },
  { of: 'gpt-oss', rules: { ...PLAIN, reasons: true, efforts: ['low', 'medium', 'high'] } },
  { of: 'o1', variant: 'mini', rules: { ...O_SERIES, efforts: [], systemRole: 'user' } },
  { of: 'o1', variant: 'preview', rules: { ...O_SERIES, efforts: [], systemRole: 'user' } },
  { of: 'o1', rules: O_SERIES },
  { of: 'o3', variant: 'mini', rules: O_SERIES },
  { of: 'o3', rules: { ...O_SERIES, stop: false } },
];

/** Words that only models served on `/responses` have in their ids, beside `codex-mini-latest` and the computer-use preview. */
const RESPONSES_ONLY = ['pro', 'codex', 'research'];

/** The rules for a model id, whatever stands before and behind its version. A newer version than we know counts as the newest. */
export const openaiRules: (model: string) => OpenAiRules = remembered(findRules);

function findRules(model: string): OpenAiRules {
  const id = readId(model);
  if (id === null) return OPAQUE;
  const row = TABLE.find(({ of, variant }) => of === id.line && (variant === undefined || id.words.includes(variant)));
  const rules = row?.rules ?? (id.line.startsWith('o') ? { ...O_SERIES, stop: false } : NEWEST);
  return RESPONSES_ONLY.some((word) => id.words.includes(word)) ? { ...rules, responsesOnly: true } : rules;
}

/** Whether a name is that of one of OpenAI's models. */
export const ofOpenAi = (model: string): boolean => idOf(model) !== null;

/** The effort a model is asked for so that it comes nearest to a level; null: it takes none. */
export function effortFor(level: ThinkingLevel, model: string, endpoint: 'chat' | 'responses'): Effort | null {
  const { efforts, chatEffortMax } = openaiRules(model);
  const allowed = endpoint === 'chat' && chatEffortMax ? efforts.filter((effort) => rank(effort) <= rank(chatEffortMax)) : efforts;
  if (level === 'off') return allowed[0] ?? null;
  const thinking = allowed.filter((effort) => effort !== 'none');
  return thinking.findLast((effort) => rank(effort) <= rank(level)) ?? thinking[0] ?? null;
}

/** The level an effort stands for, as clients are told it. */
export const levelOf = (effort: Effort | null): ThinkingLevel | null => (effort === 'none' ? 'off' : effort);

/** @param effort as it will be sent; null: none is sent. */
export function samplingAllowed(model: string, effort: string | null): boolean {
  const { sampling, reasons } = openaiRules(model);
  if (sampling !== 'without-reasoning') return sampling === 'allowed';
  return effort === null ? !reasons : effort === 'none';
}

/** Whether chat completions would refuse the request for its function tools, so that it has to go to `/responses`. */
export function toolsNeedResponses(model: string, { hasTools, effort }: { hasTools: boolean; effort: string | null }): boolean {
  if (!hasTools) return false;
  switch (openaiRules(model).toolsOnChat) {
    case 'allowed':
      return false;
    case 'without-effort':
      return effort !== null && effort !== 'none';
    case 'effort-none':
      return effort !== 'none';
    case 'refused':
      return true;
  }
}

/** Whether a model is one of OpenAI's that `/completions` does not serve. */
export function chatOnly(model: string): boolean {
  const id = idOf(model);
  return id !== null && !id.words.includes('instruct');
}

interface ModelId {
  /** `gpt-5.4`, `gpt-oss`, `o3`. */
  line: string;
  /** What follows it. */
  words: string[];
}

const idOf = remembered(readId);

const NAMES = /^(?:chat)?(?:gpt-(?<version>\d+(?:\.\d+)?|oss)|o(?<series>\d+))(?<omni>o)?(?:-(?<rest>.*))?$/;

/** Reads `openai/gpt-5.6-sol`, `us.openai.gpt-5.4-2026-03-05`, `ft:gpt-4o:org`, `o4-mini`, …; null when it is none of OpenAI's. */
function readId(model: string): ModelId | null {
  const bare = model
    .toLowerCase()
    .replace(/^.*\//, '')
    .replace(/^(?:[a-z]+\.)?openai\./, '')
    .replace(/^ft:/, '')
    .replace(/:.*$/, '');
  if (/^(?:codex-mini|computer-use)/.test(bare)) return { line: 'o4', words: ['codex'] };
  const groups = NAMES.exec(bare)?.groups;
  if (!groups) return null;
  const words = (groups['rest'] ?? '').split('-');
  if (groups['series']) return { line: `o${groups['series']}`, words };
  // Azure writes 3.5 without its point.
  const version = groups['version'] === '35' ? '3.5' : groups['version'];
  return { line: `gpt-${version}`, words };
}

const rank = (level: Effort | ThinkingLevel): number => (level === 'off' ? 0 : EFFORTS.indexOf(level));
