import type { MatchLogic } from '@pydantic/genai-prices';

/** What may follow a model's name without making it another model: dates, revisions, and words for the same thing. */
const HARMLESS = /^(?:[-@:.](?:\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{2}-\d{2}|\d{3,4}|v\d+(?::\d+)?|latest|preview|exp|default|maas))*$/;

/** Whether a name is that of a model with something harmless behind. `claude-sonnet-5-5` is no `claude-sonnet-5`. */
export const isRevision = (name: string, model: string): boolean => name.startsWith(model) && HARMLESS.test(name.slice(model.length));

/**
 * Whether the catalog's rule for a model's names means this name. A rule by a beginning or a part of a name means what begins so; a newer model
 * may, too, so what follows has to be harmless.
 */
export function means(rule: MatchLogic, name: string): boolean {
  if ('equals' in rule) return rule.equals === name;
  if ('or' in rule) return rule.or.some((one) => means(one, name));
  if ('and' in rule) return rule.and.every((one) => means(one, name));
  if ('regex' in rule) return new RegExp(rule.regex).test(name);
  if ('ends_with' in rule) return name.endsWith(rule.ends_with);
  const part = 'starts_with' in rule ? rule.starts_with : rule.contains;
  const at = name.indexOf(part);
  if (at === -1 || ('starts_with' in rule && at > 0)) return false;
  const rest = name.slice(at + part.length);
  // The rule itself may end within a date or before a revision.
  return HARMLESS.test(rest) || (/[\d@-]$/.test(part) && /^\d{4,8}(?:-v\d+(?::\d+)?)?$/.test(rest));
}
