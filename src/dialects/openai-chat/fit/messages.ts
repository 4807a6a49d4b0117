import { rulesOf } from '../../../model-rules/index.js';
import { rulesId, type UpstreamParams } from '../../dialect.js';
import { nineCharacterCallId } from '../../kit/call-ids.js';
import { isObject, type JsonObject, listOf, textOf } from '../../kit/json.js';
import type { Quirks } from '../../quirks.js';

type Change = (message: JsonObject) => JsonObject;

/** The messages as the provider takes them; the very same list when it takes them as they are. */
export function fitMessages(messages: JsonObject[], rewrite: UpstreamParams): JsonObject[] {
  const { quirks } = rewrite;
  const changes = changesFor(quirks, rulesId(rewrite));
  const fitted = changes.length === 0 ? messages : messages.map((message) => changes.reduce((changed, change) => change(changed), message));
  return quirks.singleSystem ? singleSystem(fitted) : fitted;
}

function changesFor(quirks: Quirks, model: string): Change[] {
  const changes: Change[] = [];
  // The only ones of OpenAI's that know neither `system` nor `developer`.
  if (rulesOf(model).openai.systemRole === 'user') changes.push(asUser);
  else if (quirks.developerRole === false) changes.push(asSystem);
  if (quirks.textContent) changes.push(withText);
  if (quirks.nullContent) changes.push(withContent);
  if (quirks.toolCallIds === 'nine-alphanumerics') changes.push(withShortIds);
  if (quirks.reasoningBack === 'never') changes.push(withoutReasoning);
  if (quirks.reasoningBack === 'always') changes.push(withReasoning);
  return changes;
}

const isInstruction = ({ role }: JsonObject): boolean => role === 'system' || role === 'developer';

const asSystem: Change = (message) => (message['role'] === 'developer' ? { ...message, role: 'system' } : message);

const asUser: Change = (message) => (isInstruction(message) ? { ...message, role: 'user' } : message);

/** Parts that are all text become one. */
const withText: Change = (message) => {
  const text = joinedText(message['content']);
  return text === null ? message : { ...message, content: text };
};

function joinedText(content: unknown): string | null {
  if (!Array.isArray(content)) return null;
  const texts = content.map((part) => (isObject(part) ? textOf(part['text']) : null));
  return texts.every((text) => text !== null) ? texts.join('\n\n') : null;
}

const hasCalls = (message: JsonObject): boolean => listOf(message['tool_calls']).length > 0;

const withContent: Change = (message) => (hasCalls(message) && message['content'] == null ? { ...message, content: '' } : message);

const withShortIds: Change = (message) => {
  const changed = { ...message };
  if (hasCalls(message))
    changed['tool_calls'] = listOf(message['tool_calls']).map((call) =>
      isObject(call) && typeof call['id'] === 'string' ? { ...call, id: nineCharacterCallId(call['id']) } : call,
    );
  if (typeof message['tool_call_id'] === 'string') changed['tool_call_id'] = nineCharacterCallId(message['tool_call_id']);
  return changed;
};

const withoutReasoning: Change = ({
  reasoning_content: _text,
  reasoning: _same,
  reasoning_details: _state,
  thinking_blocks: _blocks,
  ...rest
}) => rest;

const withReasoning: Change = (message) =>
  hasCalls(message) && message['reasoning_content'] == null
    ? { ...message, reasoning_content: textOf(message['reasoning']) ?? '' }
    : message;

/** The instructions at the start become one; one further down stays in its place, as a user's message. */
function singleSystem(messages: JsonObject[]): JsonObject[] {
  const end = messages.findIndex((message) => !isInstruction(message));
  const leading = end === -1 ? messages : messages.slice(0, end);
  const others = messages
    .slice(leading.length)
    .map((message) => (isInstruction(message) ? { role: 'user', content: `<system>\n${textContent(message)}\n</system>` } : message));
  if (leading.length < 2) return [...leading, ...others];
  return [{ ...leading[0], content: leading.map(textContent).join('\n\n') }, ...others];
}

const textContent = ({ content }: JsonObject): string => joinedText(content) ?? textOf(content) ?? '';
