import type { Tool } from '../canonical.js';
import type { Prompt } from '../dialect.js';
import type { Fields } from '../kit/fields.js';
import { isObject, listOf, objectOf, parsed, textOf } from '../kit/json.js';

/** Custom tools take one free text. To models behind other formats they are functions with that text as their only argument. */
const PARAMETERS = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input of the tool, as it is.' } },
  required: ['input'],
  additionalProperties: false,
};

export function decodeCustomTool(tool: Fields): Tool {
  const description = [tool.textOrNull('description'), grammarOf(tool)].filter((text) => text !== null && text !== '').join('\n\n');
  return { name: tool.text('name'), description: description === '' ? null : description, parameters: PARAMETERS, strict: null };
}

/** What another model is told of the grammar that OpenAI's would be held to. */
function grammarOf(tool: Fields): string | null {
  const format = tool.objectOrNull('format');
  if (format?.textOrNull('type') !== 'grammar') return null;
  return `The input must follow this ${format.textOrNull('syntax') ?? ''} grammar:\n${format.text('definition')}`;
}

export const customArguments = (input: string): string => JSON.stringify({ input });

/** The free text in the arguments of such a function. */
export function customInput(args: string): string {
  return textOf(objectOf(parsed(args))['input']) ?? args;
}

/** Names of the custom tools that a request has. */
export function customToolNames({ body }: Prompt): ReadonlySet<unknown> {
  return new Set(
    listOf(body['tools'])
      .filter(isObject)
      .filter((tool) => tool['type'] === 'custom')
      .map((tool) => tool['name']),
  );
}
