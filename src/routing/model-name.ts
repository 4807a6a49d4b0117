const MAX_LENGTH = 512;
const PATTERN = /\*/;
/** What no provider's id has and a reader does not see: control and format characters, half surrogate pairs, line separators. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;
/** What OpenRouter reads as a choice of more than the model: a stored preset, a plugin, an order of providers. */
const CHOOSES = /@preset\/|:(?:online|nitro|floor|exacto)$/i;
const ESCAPED = /%[0-9a-f]{2}/i;

/** Why no provider can mean anything by this model id, in the words that follow "it"; null: one may. */
export function faultOf(model: string): string | null {
  if (model.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (PATTERN.test(model)) return 'has a "*": patterns are not taken';
  if (UNSEEN.test(model)) return 'has a character that cannot be seen';
  if (CHOOSES.test(model)) return 'chooses more than a model: expose it by that name in "models" of its provider';
  if (model.trim() !== model) return 'begins or ends with a blank';
  if (ESCAPED.test(model)) return 'is percent-encoded: write it plainly';
  if (model.split('/').some((part) => part === '' || part === '.' || part === '..')) return 'has an empty part between its slashes';
  return null;
}

/** Of an ARN of Bedrock that names the model. One of an application's own profile says nothing of it. */
const ARN = /^arn:aws[-\w]*:bedrock:[-\w]*:\d*:(?:foundation-model|inference-profile)\//;
/** Where a vendor's API keeps its models. */
const FOLDERS = /^(?:projects\/[^/]+\/locations\/[^/]+\/)?(?:publishers\/[^/]+\/)?models\//;
/** Of Bedrock's inference profiles: the regions they spread over, before the vendor. */
const REGIONS = /^(?:global|us|us-gov|eu|apac|jp|au|ca|sa|me|af)\.(?=[a-z0-9-]+\.)/;
/** A version's date, `2025-08-07`, `20250807`, `0613` or `2411`. */
const DATE = '(?:20\\d{2}-\\d{2}-\\d{2}|20\\d{6}|(?:0[1-9]|1[0-2])(?:[0-2]\\d|3[01])|2[3-9](?:0[1-9]|1[0-2]))';
/** What names a version or a way to be served, and not another model. */
const VERSION = new RegExp(
  `(?:-${DATE}|@(?:${DATE}|latest|default)|[-:]latest|-v\\d+:\\d+(?::\\w+)?|:(?:free|nitro|floor|exacto|extended|online|batch|flex|priority))$`,
);

/**
 * The name that a model's calls are counted by, whichever of its names they ask for: in one case, without a version's date, a region or a
 * vendor's folder. Two models may share one, such as versions of different price: what is counted together is never too little.
 */
export function countedName(model: string): string {
  let name = model
    .toLowerCase()
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .trim()
    .toLowerCase()
    .replace(ARN, '')
    .replace(FOLDERS, '')
    .replace(REGIONS, '');
  for (let shorter = name.replace(VERSION, ''); shorter !== name && shorter !== ''; shorter = name.replace(VERSION, '')) name = shorter;
  return name;
}
