import type { Tool, ToolChoice } from '../../canonical.js';
import { type Fields, invalid } from '../../kit/fields.js';
import { DROP } from '../../kit/left-out.js';
import { speaks, Unsupported } from '../../kit/unsupported.js';
import { decodeMark } from './messages.js';
import { typedTool } from './typed-tools.js';

/**
 * Tools that the client runs. Those that Anthropic runs itself are left out by name: agents offer them beside their own, and go on without.
 * @param drop they are left out also alone.
 * @throws WeirError invalid_request when there are no others.
 */
export function decodeTools(fields: Fields, leftOut: string[], drop = false): Tool[] {
  const hosted: string[] = [];
  const tools = fields.entries('tools').flatMap((tool) => decodeTool(tool, hosted, leftOut));
  if (tools.length === 0 && hosted.length > 0 && !drop) {
    const types = hosted.join(', ');
    throw new Unsupported(
      'tools',
      `This provider does not run tools of type ${types}. Choose a provider that speaks Messages, leave them out, or ${DROP}.`,
      speaks('anthropic-messages'),
    );
  }
  leftOut.push(...hosted.map((type) => `tools: ${type}`));
  return tools;
}

/** Of a tool with a schema of its own. */
const KNOWN = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control']);

function decodeTool(tool: Fields, hosted: string[], leftOut: string[]): Tool[] {
  const type = tool.textOrNull('type');
  if (type === null || type === 'custom') {
    const unread = Object.keys(tool.values).filter((name) => !KNOWN.has(name) && tool.has(name) && tool.values[name] !== false);
    leftOut.push(...unread.map((name) => `tools: ${name}`));
    return [
      {
        name: tool.text('name'),
        description: tool.textOrNull('description'),
        parameters: tool.objectOrNull('input_schema')?.values ?? null,
        strict: tool.booleanOrNull('strict'),
        ...decodeMark(tool),
      },
    ];
  }
  const typed = typedTool(type);
  if (typed) return [{ ...typed, name: tool.textOrNull('name') ?? typed.name, strict: null, ...decodeMark(tool) }];
  hosted.push(type);
  return [];
}

/** @param tools as they are offered. @param drop a choice of a tool that is left out is none. */
export function decodeToolChoice(fields: Fields, tools: readonly Tool[], drop = false): ToolChoice | null {
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
      if (!tools.some((tool) => tool.name === name)) {
        const hosted = fields.entries('tools').some((tool) => tool.textOrNull('name') === name);
        if (hosted && drop) return null;
        if (!hosted)
          throw invalid('tool_choice', `"tool_choice" names "${name}", which is not among the tools that this provider can be given.`);
        throw new Unsupported(
          'tool_choice',
          `"tool_choice" names "${name}", which this provider does not run. Choose a provider that speaks Messages, or ${DROP}.`,
          speaks('anthropic-messages'),
        );
      }
      return { type: 'tool', name };
    }
    case 'auto':
    case 'none':
      return { type };
  }
}
