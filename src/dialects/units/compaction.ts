import { isObject, type JsonObject, listOf, objectOf, textOf } from '../kit/json.js';

/** Of Anthropic, unless the request says another: platform.claude.com/docs/en/build-with-claude/compaction, read 2026-11-29. */
const DEFAULT_TRIGGER = 150_000;
/** OpenAI's has no default, and fields to come may have any. */
const ANY = 0;

/**
 * From how many tokens on a provider summarizes the conversation before it answers. It bills the summary like a call of its own: the input once
 * more, and output. Null: the request does not ask for that.
 */
export function compactsFrom(body: JsonObject): number | null {
  const managed = body['context_management'];
  const edits = listOf(isObject(managed) ? managed['edits'] : managed).filter(isObject);
  const triggers = edits.flatMap((edit) => {
    const type = textOf(edit['type']) ?? '';
    if (type.startsWith('compact_')) return [amount(objectOf(edit['trigger'])['value']) ?? DEFAULT_TRIGGER];
    return type === 'compaction' ? [amount(edit['compact_threshold']) ?? ANY] : [];
  });
  if (body['compaction'] != null) triggers.push(ANY);
  return triggers.length > 0 ? triggers.reduce((least, trigger) => Math.min(least, trigger)) : null;
}

const amount = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
