import type { Tool, ToolChoice } from '../../canonical.js';
import type { Fields } from '../../kit/fields.js';
import { decodeMark } from './messages.js';

/** Tools of the client's own. Those that Anthropic runs or has defined mean nothing elsewhere, so they are left out by name. */
export function decodeTools(fields: Fields, leftOut: string[]): Tool[] {
  return fields.entries('tools').flatMap((tool) => {
    const type = tool.textOrNull('type');
    if (type !== null && type !== 'custom') {
      leftOut.push(`tools: ${type}`);
      return [];
    }
    return [
      {
        name: tool.text('name'),
        description: tool.textOrNull('description'),
        parameters: tool.objectOrNull('input_schema')?.values ?? null,
        strict: tool.booleanOrNull('strict'),
        ...decodeMark(tool),
      },
    ];
  });
}

export function decodeToolChoice(fields: Fields): ToolChoice | null {
  const choice = fields.objectOrNull('tool_choice');
  if (!choice) return null;
  const type = choice.oneOf('type', ['auto', 'any', 'tool', 'none']);
  switch (type) {
    case null:
      throw choice.refuse('type', 'must be one of auto, any, tool, none');
    case 'any':
      return { type: 'required' };
    case 'tool':
      return { type: 'tool', name: choice.text('name') };
    case 'auto':
    case 'none':
      return { type };
  }
}
