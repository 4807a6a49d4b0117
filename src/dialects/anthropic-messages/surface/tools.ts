import type { Tool, ToolChoice } from '../../canonical.js';
import { type Fields, invalid } from '../../kit/fields.js';
import { decodeMark } from './messages.js';
import { typedTool } from './typed-tools.js';

/**
 * Tools that the client runs. Those that Anthropic runs itself are left out by name: agents offer them beside their own, and go on without.
 * @throws WeirError invalid_request when there are no others.
 */
export function decodeTools(fields: Fields, leftOut: string[]): Tool[] {
  const hosted: string[] = [];
  const tools = fields.entries('tools').flatMap((tool) => decodeTool(tool, hosted));
  if (tools.length === 0 && hosted.length > 0) {
    const types = hosted.join(', ');
    throw invalid('tools', `This provider does not run tools of type ${types}. Choose a provider that speaks Messages, or leave them out.`);
  }
  leftOut.push(...hosted.map((type) => `tools: ${type}`));
  return tools;
}

function decodeTool(tool: Fields, hosted: string[]): Tool[] {
  const type = tool.textOrNull('type');
  if (type === null || type === 'custom')
    return [
      {
        name: tool.text('name'),
        description: tool.textOrNull('description'),
        parameters: tool.objectOrNull('input_schema')?.values ?? null,
        strict: tool.booleanOrNull('strict'),
        ...decodeMark(tool),
      },
    ];
  const typed = typedTool(type);
  if (typed) return [{ ...typed, name: tool.textOrNull('name') ?? typed.name, strict: null, ...decodeMark(tool) }];
  hosted.push(type);
  return [];
}

/** @param tools as they are offered. */
export function decodeToolChoice(fields: Fields, tools: readonly Tool[]): ToolChoice | null {
  const choice = fields.objectOrNull('tool_choice');
  if (!choice) return null;
  const type = choice.oneOf('type', ['auto', 'any', 'tool', 'none']);
  switch (type) {
    case null:
      throw choice.refuse('type', 'must be one of auto, any, tool, none');
    case 'any':
      return { type: 'required' };
    case 'tool': {
      const name = choice.text('name');
      if (!tools.some((tool) => tool.name === name))
        throw invalid('tool_choice', `"tool_choice" names "${name}", which is not among the tools that this provider can be given.`);
      return { type: 'tool', name };
    }
    case 'auto':
    case 'none':
      return { type };
  }
}
