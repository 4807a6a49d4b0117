import { rulesOf } from '../model-rules/index.js';
import type { ThinkingLevel } from './canonical.js';
import type { CallRequest, DialectName, SurfaceName } from './dialect.js';
import { toolsNeedResponses } from './families/openai.js';
import { isObject, objectOf, textOf } from './kit/json.js';

/**
 * The format to speak with a provider: the client's own where the model is served in it, so that nothing has to be translated; else the
 * provider's first that serves the request.
 * @param spoken what the provider speaks, the preferred one first; not empty.
 * @param model the id whose rules apply, without the provider's name.
 * @param level what the caller's settings ask for, where the request says nothing.
 */
export function chooseDialect(
  spoken: readonly DialectName[],
  surface: SurfaceName,
  model: string,
  prompt: CallRequest,
  level: ThinkingLevel | null = null,
): DialectName {
  const serving = spoken.filter((dialect) => serves(dialect, model, spoken, prompt, level));
  const own = serving.find((dialect) => dialect === surface);
  // A request that no format serves is the provider's to refuse, in its own words.
  return own ?? serving[0] ?? spoken.find((dialect) => dialect === surface) ?? spoken[0]!;
}

function serves(
  dialect: DialectName,
  model: string,
  spoken: readonly DialectName[],
  prompt: CallRequest,
  level: ThinkingLevel | null,
): boolean {
  switch (dialect) {
    case 'openai-chat':
      return !spoken.includes('openai-responses') || !needsResponses(model, prompt, level);
    case 'openai-completions':
      return !rulesOf(model).openai.chatOnly;
    default:
      return true;
  }
}

function needsResponses(model: string, { body }: CallRequest, level: ThinkingLevel | null): boolean {
  const hasTools = [body['tools'], body['functions']].some((tools) => Array.isArray(tools) && tools.length > 0);
  return (
    rulesOf(model).openai.responsesOnly ||
    toolsNeedResponses(model, { hasTools, effort: effortIn(body) ?? (level === 'off' ? 'none' : level) })
  );
}

/** The effort a request asks for, in the words of whichever format it came in; null when it says nothing. */
function effortIn(body: Record<string, unknown>): string | null {
  const thinking = objectOf(body['thinking']);
  if (thinking['type'] === 'disabled') return 'none';
  const effort = body['reasoning_effort'] ?? objectOf(body['reasoning'])['effort'] ?? objectOf(body['output_config'])['effort'];
  return textOf(effort) ?? (isObject(body['thinking']) ? 'medium' : null);
}
