import type { Settings } from '../canonical.js';

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

export const leftOut = (field: string): string => `"${field}" is not supported by this provider and was left out.`;

const isSet = (value: Settings[keyof Settings]): boolean =>
  value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
