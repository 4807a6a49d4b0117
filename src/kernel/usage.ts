/** Tokens of one attempt by disjoint class: input is what was neither read from nor written to a prompt cache; output includes reasoning. */
export interface Usage {
  input: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
  output: number;
  /** Informative, part of output. Null when the provider does not report it. */
  reasoning: number | null;
}

export const NO_USAGE: Readonly<Usage> = { input: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: null };

export const inputTotal = (usage: Usage): number => usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
