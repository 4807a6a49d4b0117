import type { TextPart, Tool } from '../canonical.js';
import { CUSTOM_PARAMETERS, customArguments, customInput, describeCustom } from '../kit/custom-tools.js';
import type { Fields } from '../kit/fields.js';
import { type JsonObject, listOf, objectOf, parsed, writeJson } from '../kit/json.js';

/**
 * The kinds of tools that a client of Responses runs itself. Each has item types of its own for calls and results. To models behind other
 * formats all of them are functions.
 */
const KINDS = ['function', 'custom', 'tool_search', 'local_shell', 'shell', 'apply_patch'] as const;
export type CallKind = (typeof KINDS)[number];

interface CallForm {
  /** The type of the item of a call. */
  call: string;
  /** The type of the item of a result. */
  result: string;
  /** The tool as a function. */
  offer(tool: Fields): Pick<Tool, 'description' | 'parameters' | 'strict'>;
  /** The arguments of the function, JSON text, that an item of the history stands for. */
  read(item: Fields): string;
  /** What the item of a call says of its arguments. */
  write(args: string): JsonObject;
}

const object = (required: string[], properties: JsonObject): JsonObject => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const TEXT = { type: 'string' };
const WHOLE = { type: 'integer' };
const texts = (description: string): JsonObject => ({ type: 'array', items: TEXT, description });

const TOOL_SEARCH = object(['query'], { query: { ...TEXT, description: 'What the tool should be able to do.' } });
const LOCAL_SHELL = object(['command'], {
  command: texts('The program and its arguments.'),
  working_directory: TEXT,
  timeout_ms: WHOLE,
  env: { type: 'object', additionalProperties: TEXT },
});
const SHELL = object(['commands'], {
  commands: texts('Shell commands, run one after the other.'),
  timeout_ms: WHOLE,
  max_output_length: WHOLE,
});
const APPLY_PATCH = object(['type', 'path'], {
  type: { ...TEXT, enum: ['create_file', 'update_file', 'delete_file'] },
  path: { ...TEXT, description: 'Relative to the root of the workspace.' },
  diff: {
    ...TEXT,
    description: 'A V4A diff: sections that begin with "@@", lines that begin with "+", "-" or a blank. Not for delete_file.',
  },
});

const fixed = (description: string, parameters: JsonObject) => () => ({ description, parameters, strict: null });
const objectIn = (args: string): JsonObject => objectOf(parsed(args));

export const CALL_FORMS: Readonly<Record<CallKind, CallForm>> = {
  function: {
    call: 'function_call',
    result: 'function_call_output',
    offer: (tool) => ({
      description: tool.textOrNull('description'),
      parameters: tool.objectOrNull('parameters')?.values ?? null,
      strict: tool.booleanOrNull('strict'),
    }),
    read: (item) => item.textOrNull('arguments') ?? '',
    write: (args) => ({ arguments: args }),
  },
  custom: {
    call: 'custom_tool_call',
    result: 'custom_tool_call_output',
    offer: (tool) => ({ description: describeCustom(tool), parameters: CUSTOM_PARAMETERS, strict: null }),
    read: (item) => customArguments(item.text('input')),
    write: (args) => ({ input: customInput(args) }),
  },
  tool_search: {
    call: 'tool_search_call',
    result: 'tool_search_output',
    offer: (tool) => ({
      description: tool.textOrNull('description') ?? 'Finds further tools. Those that it finds can be called from then on.',
      parameters: tool.objectOrNull('parameters')?.values ?? TOOL_SEARCH,
      strict: null,
    }),
    read: (item) => writeJson(item.objectOrNull('arguments')?.values ?? {}),
    write: (args) => ({ execution: 'client', arguments: objectIn(args) }),
  },
  local_shell: {
    call: 'local_shell_call',
    result: 'local_shell_call_output',
    offer: fixed('Runs a command on the computer of the user.', LOCAL_SHELL),
    read: (item) => {
      const { type: _, ...action } = item.object('action').values;
      return writeJson(action);
    },
    write: (args) => {
      const { command, ...rest } = objectIn(args);
      // Some models write one text where a list of words is asked for.
      const words = typeof command === 'string' ? ['sh', '-c', command] : listOf(command);
      return { action: { type: 'exec', env: {}, ...rest, command: words } };
    },
  },
  shell: {
    call: 'shell_call',
    result: 'shell_call_output',
    offer: fixed('Runs shell commands on the computer of the user.', SHELL),
    read: (item) => writeJson(item.object('action').values),
    write: (args) => {
      const { commands, ...rest } = objectIn(args);
      const list = typeof commands === 'string' ? [commands] : listOf(commands);
      return { action: { timeout_ms: null, max_output_length: null, ...rest, commands: list }, environment: { type: 'local' } };
    },
  },
  apply_patch: {
    call: 'apply_patch_call',
    result: 'apply_patch_call_output',
    offer: fixed('Creates, changes or deletes a file of the workspace.', APPLY_PATCH),
    read: (item) => writeJson(item.object('operation').values),
    write: (args) => ({ operation: objectIn(args) }),
  },
};

/** The kind of a tool that the client runs; null: the provider runs it. */
export function callKindOf(tool: Fields): CallKind | null {
  const type = tool.text('type');
  const kind = KINDS.find((one) => one === type) ?? null;
  if (kind === 'tool_search' && tool.textOrNull('execution') !== 'client') return null;
  if (kind === 'shell' && (tool.objectOrNull('environment')?.textOrNull('type') ?? 'local') !== 'local') return null;
  return kind;
}

const kindBy = (side: 'call' | 'result') => {
  const kinds = new Map(KINDS.map((kind) => [CALL_FORMS[kind][side], kind]));
  return (type: string): CallKind | null => kinds.get(type) ?? null;
};

/** The kind whose calls are items of this type; null: none. */
export const kindOfCall = kindBy('call');
/** The kind whose results are items of this type; null: none. */
export const kindOfResult = kindBy('result');

/** A result whose form is no plain text or list of parts, as a text for the model; null: it is plain. */
export function resultText(kind: CallKind, item: Fields): TextPart[] | null {
  switch (kind) {
    case 'shell':
      return [{ type: 'text', text: writeJson(item.list('output')) }];
    case 'apply_patch':
      return [{ type: 'text', text: [item.textOrNull('status') ?? 'completed', item.textOrNull('output') ?? ''].join('\n').trim() }];
    default:
      return null;
  }
}
