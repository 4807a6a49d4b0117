import type { Tool } from '../../canonical.js';
import type { JsonObject } from '../../kit/json.js';

/**
 * Tools that Anthropic has defined and the client runs. Claude knows their schemas by type; to other models they are functions with the schemas
 * of Anthropic's documentation of the tools, as of 2026-11.
 */
export interface TypedTool extends Pick<Tool, 'description' | 'parameters'> {
  /** The name of every tool of the type. */
  name: string;
}

const object = (required: string[], properties: JsonObject): JsonObject => ({ type: 'object', properties, required });
const TEXT = { type: 'string' };
const WHOLE = { type: 'integer' };
const LINES = { type: 'array', items: WHOLE, description: 'The first and the last line to show; -1 is the end.' };
const POINT = { type: 'array', items: WHOLE, description: 'x and y in pixels.' };

const EDITS: JsonObject = {
  path: TEXT,
  file_text: { ...TEXT, description: 'For create: the whole file.' },
  old_str: { ...TEXT, description: 'For str_replace: what is there once.' },
  new_str: { ...TEXT, description: 'For str_replace: what it becomes.' },
  insert_line: { ...WHOLE, description: 'For insert: the line after which; 0 is the beginning.' },
  insert_text: { ...TEXT, description: 'For insert: the new lines.' },
  view_range: LINES,
};
const command = (...names: string[]): JsonObject => ({ ...TEXT, enum: names });

const ACTIONS =
  `screenshot left_click right_click middle_click double_click triple_click left_click_drag left_mouse_down left_mouse_up mouse_move
  cursor_position type key hold_key scroll wait zoom`.split(/\s+/);

const TYPED: readonly [type: RegExp, tool: TypedTool][] = [
  [
    /^bash_\d+$/,
    {
      name: 'bash',
      description: 'Runs a command in a shell that keeps its state between calls. "restart" begins a new shell.',
      parameters: object([], { command: TEXT, restart: { type: 'boolean' } }),
    },
  ],
  [
    /^text_editor_\d+$/,
    {
      name: 'str_replace_based_edit_tool',
      description: 'Shows and edits files.',
      parameters: object(['command', 'path'], { command: command('view', 'create', 'str_replace', 'insert'), ...EDITS }),
    },
  ],
  [
    /^memory_\d+$/,
    {
      name: 'memory',
      description: 'Shows and edits files in /memories, which stay between conversations.',
      parameters: object(['command'], {
        command: command('view', 'create', 'str_replace', 'insert', 'delete', 'rename'),
        ...EDITS,
        old_path: { ...TEXT, description: 'For rename.' },
        new_path: { ...TEXT, description: 'For rename.' },
      }),
    },
  ],
  [
    /^computer_\d+$/,
    {
      name: 'computer',
      description: 'Uses the screen, the mouse and the keyboard of a computer. "screenshot" shows what is there.',
      parameters: object(['action'], {
        action: { ...TEXT, enum: ACTIONS },
        coordinate: POINT,
        start_coordinate: POINT,
        text: { ...TEXT, description: 'What to type, or the keys to press.' },
        scroll_direction: { ...TEXT, enum: ['up', 'down', 'left', 'right'] },
        scroll_amount: WHOLE,
        duration: { type: 'number', description: 'In seconds.' },
        region: { type: 'array', items: WHOLE, description: 'For zoom: x and y of two corners.' },
      }),
    },
  ],
];

/** The tool that a type stands for; null: Anthropic runs it itself. */
export const typedTool = (type: string): TypedTool | null => TYPED.find(([pattern]) => pattern.test(type))?.[1] ?? null;
