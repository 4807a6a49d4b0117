import type { ModelName } from './name.js';
import type { ModelRules } from './rules.js';

/** What one family of models is known for. What a row does not say is said by a later one that fits, or is not known. */
export interface Row {
  /** Unlike that of every other row. */
  family: string;
  /** Names that it was made for. */
  examples: readonly string[];
  /** When and where its facts were read, as a date or a month. */
  read: string;
  source: string;
  fits: Matcher;
  rules: Partial<{ [Part in keyof ModelRules]: ModelRules[Part] extends object ? Partial<ModelRules[Part]> : ModelRules[Part] }>;
}

/**
 * How much a name says:
 * - `vendors`: it is the vendor's own, so that the tokenizer is certain.
 * - `named`: it is that of such a model.
 * - `within`: it holds that of such a model, as a deployment's may. Then only bounds follow.
 */
type Fit = 'vendors' | 'named' | 'within';
export type Matcher = (name: ModelName) => Fit | null;

/** The first row that says something of a thing counts. */
export function rulesIn(rows: readonly Row[], name: ModelName, unknown: ModelRules): ModelRules {
  const found = rows.flatMap((row) => {
    const fit = row.fits(name);
    return fit ? [said(row.rules, fit)] : [];
  });
  const merged: Record<string, unknown> = { ...unknown };
  for (const rules of found.reverse())
    for (const [part, value] of Object.entries(rules))
      merged[part] = isParts(value) ? { ...(merged[part] as object | null), ...value } : value;
  return merged as unknown as ModelRules;
}

function said({ encoding, ...rules }: Row['rules'], fit: Fit): Row['rules'] {
  if (fit === 'within') return rules.media ? { media: rules.media } : {};
  return fit === 'vendors' && encoding !== undefined ? { ...rules, encoding } : rules;
}

const isParts = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Rows whose facts were read at the same time in the same place. */
export const readAt =
  (read: string, source: string) =>
  (family: string, fits: Matcher, examples: readonly string[], rules: Row['rules']): Row => ({
    family,
    examples,
    read,
    source,
    fits,
    rules,
  });

// --- how names are told

/** The id has this anywhere, in lower case. */
export const like =
  (pattern: RegExp): Matcher =>
  ({ id }) =>
    pattern.test(id) ? 'named' : null;

/** The same, where it is certain that it is the vendor's own. */
export const certainly =
  (pattern: RegExp): Matcher =>
  ({ id }) =>
    pattern.test(id) ? 'vendors' : null;

/** What stands behind the last slash is this. */
export const bare =
  (pattern: RegExp): Matcher =>
  ({ bare: name }) =>
    pattern.test(name) ? 'named' : null;

/** @param lines which versions. @param rest one of these words in what follows, or how all of it reads. */
export const openai =
  (lines: RegExp, rest?: readonly string[] | RegExp): Matcher =>
  ({ openai: name, within }) => {
    const isOf = (found: Pick<NonNullable<ModelName['openai']>, 'line' | 'rest' | 'words'>) =>
      lines.test(found.line) &&
      (rest === undefined || (rest instanceof RegExp ? rest.test(found.rest) : rest.some((word) => found.words.includes(word))));
    if (name) return isOf(name) ? (name.isVendors ? 'vendors' : 'named') : null;
    return within && isOf(within) ? 'within' : null;
  };

/** Any name of OpenAI's, whatever its version. */
export const openaiName: Matcher = ({ openai: name }) => (name ? 'named' : null);

export const claude =
  (...names: readonly string[]): Matcher =>
  ({ claude: name }) =>
    name !== null && names.includes(name) ? 'named' : null;

/** Any Claude, whatever its version. */
export const claudeName: Matcher = ({ claude: name }) => (name === null ? null : 'named');

/** @param from versions as major × 100 + minor; `to`: below this one; `words`: that the id must have. */
export const gemini =
  (from: number, to: number, ...words: readonly string[]): Matcher =>
  ({ gemini: name }) =>
    name && name.version >= from && name.version < to && words.every((word) => name.words.includes(word)) ? 'named' : null;

/** A model of a vendor on Bedrock. */
export const bedrock =
  (vendors: readonly string[], pattern = /^/): Matcher =>
  ({ bedrock: { vendor, name } }) =>
    vendor !== null && vendors.includes(vendor) && pattern.test(name) ? 'named' : null;
