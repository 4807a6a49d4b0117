import type { Conversation, Settings, Thinking, Turn } from '../canonical.js';

/** Settings as clients call them. */
const NAMES: Readonly<Record<keyof Settings, string>> = {
  temperature: 'temperature',
  topP: 'top_p',
  topK: 'top_k',
  minP: 'min_p',
  stop: 'stop',
  seed: 'seed',
  presencePenalty: 'presence_penalty',
  frequencyPenalty: 'frequency_penalty',
  logprobs: 'logprobs',
  topLogprobs: 'top_logprobs',
  logitBias: 'logit_bias',
  verbosity: 'verbosity',
  serviceTier: 'service_tier',
};

/** Of what is asked for, a sentence for each setting that the provider does not have. */
export function settingsLeftOut(settings: Settings, ...unknown: (keyof Settings)[]): string[] {
  return unknown.filter((name) => isSet(settings[name])).map((name) => leftOut(NAMES[name]));
}

/** `auto` and `default` ask for no tier. */
export const tierAsked = ({ serviceTier }: Settings): string | null =>
  serviceTier === 'auto' || serviceTier === 'default' ? null : serviceTier;

export const leftOut = (field: string): string => `"${field}" is not supported by this provider and was left out.`;

/** Whom the client serves, by each of the names that formats have for it. */
export const END_USER_LEFT_OUT = '"user" (or "safety_identifier", "metadata.user_id") is not supported by this provider and was left out.';

export const STRICT_LEFT_OUT = '"strict" of a tool is not supported by this provider and was left out.';

/** What a format may have no word for, whatever the model. */
export type Unsaid = 'endUser' | 'imageDetail' | 'fileName' | 'strict';

/** Of what the conversation holds, a sentence for each kind that the format has no word for. */
export function unsaidLeftOut({ turns, tools, endUser }: Conversation, unsaid: readonly Unsaid[]): string[] {
  const has: Record<Unsaid, () => boolean> = {
    endUser: () => endUser !== null,
    imageDetail: () => hasPart(turns, (part) => part.type === 'image' && part.detail !== undefined && part.detail !== 'auto'),
    fileName: () => hasPart(turns, (part) => part.type === 'file' && part.name !== null),
    strict: () => tools.some(({ strict }) => strict === true),
  };
  return unsaid.filter((kind) => has[kind]()).map((kind) => UNSAID[kind]);
}

const UNSAID: Readonly<Record<Unsaid, string>> = {
  endUser: END_USER_LEFT_OUT,
  imageDetail: '"detail" of an image is not supported by this provider and was left out.',
  fileName: 'The name of a file ("filename", "title") is not supported by this provider and was left out.',
  strict: STRICT_LEFT_OUT,
};

const hasPart = (turns: readonly Turn[], is: (part: Turn['parts'][number]) => boolean): boolean =>
  turns.some(({ parts }) => parts.some(is));

/** For a model that is not asked to think: what the client said of it. That it is not to think happens anyway. */
export const thinkingLeftOut = (thinking: Thinking | null): string[] =>
  thinking && thinking.level !== 'off' && thinking.budgetTokens !== 0 ? [THINKING_LEFT_OUT] : [];

export const THINKING_LEFT_OUT =
  'Thinking ("reasoning_effort", "reasoning", "thinking", "output_config.effort") is not supported by this model and was left out.';

/** Whether reasoning is shown is not the client's to say everywhere. @param shown what happens. */
export function showLeftOut(thinking: Thinking | null, shown: boolean): string[] {
  if (!thinking || thinking.level === 'off' || thinking.show === null || thinking.show === shown) return [];
  return [
    `Whether reasoning is shown ("reasoning.summary", "reasoning.exclude", "thinking.display") is not the client's choice here: it is ${shown ? '' : 'not '}shown.`,
  ];
}

/** The end of a sentence that refuses. */
export const DROP = 'send the header "x-weir-unsupported: drop"';

const isSet = (value: Settings[keyof Settings]): boolean =>
  value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
