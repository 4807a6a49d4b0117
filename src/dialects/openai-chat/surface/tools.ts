import type { CacheMark, OutputFormat, Tool, ToolChoice } from '../../canonical.js';
import { CUSTOM_PARAMETERS, describeCustom } from '../../kit/custom-tools.js';
import type { Fields } from '../../kit/fields.js';
import { sameName } from '../../kit/tool-names.js';

/** What a tool may be, by `type`: each has its fields in an object of that name. */
export const TOOL_TYPES = ['function', 'custom'] as const;

export function decodeTools(fields: Fields): Tool[] {
  const legacy = fields.entries('functions').map((definition) => decodeFunction(definition, null));
  const tools = fields.entries('tools').map(decodeTool);
  // By the name alone a call does not tell which of the two it is of.
  const isCustom = (tool: Tool) => tool.parameters === CUSTOM_PARAMETERS;
  const twin = tools.find((tool) => !isCustom(tool) && tools.some((other) => isCustom(other) && other.name === tool.name));
  if (twin) throw sameName(twin.name);
  return [...tools, ...legacy];
}

function decodeTool(tool: Fields): Tool {
  // Some clients leave the type out.
  if ((tool.oneOf('type', TOOL_TYPES) ?? 'function') === 'custom') {
    const custom = tool.object('custom');
    return { name: custom.text('name'), description: describeCustom(custom), parameters: CUSTOM_PARAMETERS, strict: null };
  }
  return decodeFunction(tool.object('function'), cacheMark(tool));
}

function decodeFunction(definition: Fields, cache: CacheMark | null): Tool {
  const mark = cache ?? cacheMark(definition);
  const name = definition.text('name');
  if (name === '') throw definition.refuse('name', 'must not be empty');
  return {
    name,
    description: definition.textOrNull('description'),
    parameters: definition.objectOrNull('parameters')?.values ?? null,
    strict: definition.booleanOrNull('strict'),
    ...(mark && { cache: mark }),
  };
}

export function decodeToolChoice(fields: Fields): ToolChoice | null {
  if (!fields.has('tool_choice')) return decodeLegacyChoice(fields);
  if (typeof fields.values['tool_choice'] === 'string') {
    // `any` is Mistral's word.
    const word = fields.oneOf('tool_choice', ['auto', 'none', 'required', 'any']);
    return { type: word === 'any' ? 'required' : word! };
  }
  const choice = fields.object('tool_choice');
  const nameIn = (tool: Fields) => tool.object(tool.oneOf('type', TOOL_TYPES) ?? 'function').text('name');
  if (choice.oneOf('type', [...TOOL_TYPES, 'allowed_tools']) === 'allowed_tools') {
    const allowed = choice.object('allowed_tools');
    const names = allowed.entries('tools').map(nameIn);
    return { type: 'allowed', names, required: allowed.oneOf('mode', ['auto', 'required']) === 'required' };
  }
  return { type: 'tool', name: nameIn(choice) };
}

/** `function_call`, of the time before tools. */
function decodeLegacyChoice(fields: Fields): ToolChoice | null {
  if (!fields.has('function_call')) return null;
  if (typeof fields.values['function_call'] === 'string') return { type: fields.oneOf('function_call', ['auto', 'none'])! };
  return { type: 'tool', name: fields.object('function_call').text('name') };
}

export function decodeFormat(fields: Fields): OutputFormat | null {
  const format = fields.objectOrNull('response_format');
  if (!format) return null;
  const type = format.oneOf('type', ['text', 'json_object', 'json_schema']);
  if (type === 'json_object') return { type: 'json' };
  if (type !== 'json_schema') return null;
  const described = format.object('json_schema');
  return {
    type: 'json_schema',
    name: described.textOrNull('name') ?? 'answer',
    description: described.textOrNull('description'),
    schema: described.object('schema').values,
    strict: described.booleanOrNull('strict'),
  };
}

/** Anthropic's mark, and OpenAI's own for the same. */
export function cacheMark(fields: Fields): CacheMark | null {
  const mark = fields.objectOrNull('cache_control');
  if (mark) return { ttl: mark.oneOf('ttl', ['5m', '1h']) ?? '5m' };
  return fields.objectOrNull('prompt_cache_breakpoint') ? { ttl: '5m' } : null;
}
