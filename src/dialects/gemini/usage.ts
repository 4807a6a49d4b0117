import { NO_USAGE, type Usage } from '../../kernel/usage.js';
import type { JsonObject } from '../kit/json.js';
import { missingPart, tokenCount } from '../kit/token-count.js';
import { withMedia } from '../units/index.js';

/**
 * Reads `usageMetadata` into disjoint classes; null when it tells no input or is not sane. What tools put into the prompt is counted beside
 * it, and thoughts beside the answer.
 * @param blocked the prompt was refused: counts that are missing then are none.
 */
export function readUsage(raw: JsonObject, blocked: boolean): Usage | null {
  const total = tokenCount(raw['totalTokenCount']);
  const tools = tokenCount(raw['toolUsePromptTokenCount']) ?? 0;
  const reasoning = tokenCount(raw['thoughtsTokenCount']);
  const told = tokenCount(raw['candidatesTokenCount']);
  const prompt = tokenCount(raw['promptTokenCount']) ?? (blocked ? 0 : missingPart(total, told, tools, reasoning ?? 0));
  if (prompt === null) return null;
  const answered = told ?? missingPart(total, prompt, tools, reasoning ?? 0) ?? 0;
  const cacheRead = tokenCount(raw['cachedContentTokenCount']) ?? 0;
  const input = prompt + tools;
  const output = answered + (reasoning ?? 0);
  if ([input, output, cacheRead].some(Number.isNaN)) return null;
  return withMedia({ ...NO_USAGE, input: Math.max(0, input - cacheRead), cacheRead, output, reasoning }, raw);
}
