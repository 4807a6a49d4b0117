import { isObject, type JsonObject, listOf, objectOf } from '../../kit/json.js';
import { STRICT_LEFT_OUT } from '../../kit/left-out.js';
import type { Quirks } from '../../quirks.js';

/** Tools and the choice among them, as the provider takes them. */
export function fitTools(body: JsonObject, quirks: Quirks, warnings: string[]): void {
  if (quirks.strictTools === false && Array.isArray(body['tools'])) {
    if (body['tools'].some((tool) => objectOf(objectOf(tool)['function'])['strict'] === true)) warnings.push(STRICT_LEFT_OUT);
    body['tools'] = body['tools'].map(withoutStrict);
  }
  const choice = body['tool_choice'];
  if (quirks.requiredToolChoice === 'any' && choice === 'required') body['tool_choice'] = 'any';
  if (quirks.requiredToolChoice !== null || (choice !== 'required' && !isObject(choice))) return;
  const named = objectOf(objectOf(choice)['function'])['name'];
  if (named !== undefined) body['tools'] = listOf(body['tools']).filter((tool) => nameOf(tool) === named);
  body['tool_choice'] = 'auto';
  warnings.push('This provider cannot be made to call a tool: "tool_choice" was sent as "auto".');
}

function withoutStrict(tool: unknown): unknown {
  if (!isObject(tool) || !isObject(tool['function']) || !('strict' in tool['function'])) return tool;
  const { strict: _unknown, ...definition } = tool['function'];
  return { ...tool, function: definition };
}

const nameOf = (tool: unknown): unknown => objectOf(objectOf(tool)['function'])['name'];
