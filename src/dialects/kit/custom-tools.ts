import type { Fields } from './fields.js';
import { objectOf, parsed, textOf } from './json.js';

/** Custom tools of OpenAI take one free text. To models behind other formats they are functions with that text as their only argument. */
export const CUSTOM_PARAMETERS = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input of the tool, as it is.' } },
  required: ['input'],
  additionalProperties: false,
};

/** What a model is told of such a tool; null: nothing. */
export function describeCustom(tool: Fields): string | null {
  const description = [tool.textOrNull('description'), grammarOf(tool)].filter((text) => text !== null && text !== '').join('\n\n');
  return description === '' ? null : description;
}

/** The grammar that OpenAI's own models would be held to. */
function grammarOf(tool: Fields): string | null {
  const format = tool.objectOrNull('format');
  if (format?.textOrNull('type') !== 'grammar') return null;
  // Chat has it one level deeper.
  const grammar = format.objectOrNull('grammar') ?? format;
  return `The input must follow this ${grammar.textOrNull('syntax') ?? ''} grammar:\n${grammar.text('definition')}`;
}

export const customArguments = (input: string): string => JSON.stringify({ input });

/** The free text in the arguments of such a function. */
export const customInput = (args: string): string => textOf(objectOf(parsed(args))['input']) ?? args;
