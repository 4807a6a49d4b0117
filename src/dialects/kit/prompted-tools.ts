import type { AssistantTurn, Conversation, SystemTurn, TextPart, Tool, ToolCallPart, ToolTurn, Turn, UserTurn } from '../canonical.js';
import { argumentsObject } from './call-arguments.js';
import { writeJson } from './json.js';
import { CALL_CLOSE, CALL_OPEN } from './prompted-tool-parser.js';

/**
 * A conversation for a model that calls tools only by what it writes: tools and the protocol stand in the instructions, earlier calls and
 * results in the text.
 * @param into where instructions may stand: `user` for providers without a system role, where all of them go into the first user turn.
 */
export function promptTools(conversation: Conversation, into: 'system' | 'user' = 'system'): Conversation {
  const instruction = instructionFor(conversation);
  const turns = mergedResults(conversation.turns);
  const instructed = instruction === null ? turns : withInstruction(turns, instruction);
  return {
    ...conversation,
    turns: into === 'user' ? instructionsToUser(instructed) : instructed,
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
  };
}

/** Null: no tool may be called. */
function instructionFor({ tools, toolChoice, parallelToolCalls }: Conversation): string | null {
  const offered = toolChoice?.type === 'allowed' ? tools.filter(({ name }) => toolChoice.names.includes(name)) : tools;
  if (offered.length === 0 || toolChoice?.type === 'none') return null;
  const rules = [
    'You can call tools. To call one, write exactly this, with the arguments as a JSON object that matches the schema of its parameters:',
    `${CALL_OPEN}{"name": "<name of the tool>", "arguments": {}}${CALL_CLOSE}`,
    'Write nothing after your calls: end your answer there. The results come in the next message, inside <tool_result> tags.',
  ];
  if (parallelToolCalls === false) rules.push('Call at most one tool in an answer.');
  if (toolChoice?.type === 'tool') rules.push(`In this answer you must call the tool "${toolChoice.name}".`);
  if (toolChoice?.type === 'required' || (toolChoice?.type === 'allowed' && toolChoice.required))
    rules.push('In this answer you must call at least one tool.');
  return `${rules.join('\n')}\n\nThe tools, one a line:\n${offered.map(describe).join('\n')}`;
}

const describe = ({ name, description, parameters }: Tool): string =>
  writeJson({ name, ...(description !== null && { description }), parameters: parameters ?? { type: 'object', properties: {} } });

/** Behind the client's own instructions. */
function withInstruction(turns: readonly Turn[], instruction: string): Turn[] {
  const end = leadingSystem(turns);
  const part: TextPart = { type: 'text', text: instruction };
  const last = turns[end - 1];
  if (last?.role !== 'system') return [{ role: 'system', developer: false, parts: [part] }, ...turns];
  return [...turns.slice(0, end - 1), { ...last, parts: [...last.parts, part] }, ...turns.slice(end)];
}

function instructionsToUser(turns: readonly Turn[]): Turn[] {
  const end = leadingSystem(turns);
  const parts = turns.slice(0, end).flatMap((turn) => (turn as SystemTurn).parts);
  if (parts.length === 0) return [...turns];
  const next = turns[end];
  if (next?.role !== 'user') return [{ role: 'user', parts }, ...turns.slice(end)];
  return [{ role: 'user', parts: [...parts, ...next.parts] }, ...turns.slice(end + 1)];
}

function leadingSystem(turns: readonly Turn[]): number {
  const end = turns.findIndex(({ role }) => role !== 'system');
  return end === -1 ? turns.length : end;
}

/** Calls and results as text; the results of one turn in one message. */
function mergedResults(turns: readonly Turn[]): Turn[] {
  const names = namesOfCalls(turns);
  const out: Turn[] = [];
  let results: UserTurn | null = null;
  for (const turn of turns) {
    if (turn.role === 'tool') {
      if (!results) {
        results = { role: 'user', parts: [] };
        out.push(results);
      }
      results.parts.push(...renderResult(turn, turn.name ?? names.get(turn.callId) ?? turn.callId));
      continue;
    }
    // What the user says then belongs to the same turn.
    if (results && turn.role === 'user') results.parts.push(...turn.parts);
    else out.push(turn.role === 'assistant' ? renderCalls(turn) : turn);
    results = null;
  }
  return out;
}

const namesOfCalls = (turns: readonly Turn[]): Map<string, string> =>
  new Map(
    turns
      .flatMap((turn) => (turn.role === 'assistant' ? turn.parts : []))
      .flatMap((part) => (part.type === 'tool_call' ? [[part.id, part.name]] : [])),
  );

function renderCalls({ role, parts }: AssistantTurn): AssistantTurn {
  return { role, parts: parts.map((part) => (part.type === 'tool_call' ? { type: 'text', text: renderCall(part) } : part)) };
}

/** A call as the model writes it. No tag of ours can stand inside. */
export function renderCall({ name, arguments: args }: Pick<ToolCallPart, 'name' | 'arguments'>): string {
  const json = writeJson({ name, arguments: argumentsObject(args).value });
  return `${CALL_OPEN}${json.replaceAll('<', '\\u003c')}${CALL_CLOSE}`;
}

function renderResult({ parts, isError }: ToolTurn, name: string): UserTurn['parts'] {
  const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  const failed = isError ? ' error="true"' : '';
  const safe = text.replaceAll('</tool_result', '<\\/tool_result');
  const rendered: TextPart = { type: 'text', text: `<tool_result name=${JSON.stringify(name)}${failed}>\n${safe}\n</tool_result>` };
  return [rendered, ...parts.filter((part) => part.type !== 'text')];
}
