import type { CacheMark, Conversation, Tool, ToolTurn, Turn } from '../../src/dialects/canonical.js';
import { conversation, settings, tool } from './conversations.js';

/* biome-ignore lint/suspicious/noExplicitAny: recorded requests are of whatever form they are */
type Recorded = any;

/** What a client may have asked for that led to a recorded Converse request. */
export function conversationOf(request: Recorded): Conversation {
  const { inferenceConfig = {}, toolConfig, outputConfig, additionalModelRequestFields: fields = {} } = request;
  const system = partsOf(request.system ?? []).map((part) => ({ role: 'system', developer: false, parts: [part] }));
  const schema = outputConfig?.textFormat.structure.jsonSchema;
  return conversation({
    turns: [...system, ...request.messages.flatMap(turnsOf)] as Turn[],
    tools: toolsOf(toolConfig?.tools ?? []),
    toolChoice: toolConfig?.toolChoice ? { type: 'auto' } : null,
    format:
      schema === undefined
        ? null
        : {
            type: 'json_schema',
            name: schema.name,
            description: schema.description,
            schema: JSON.parse(schema.schema),
            strict: null,
          },
    settings: settings({ temperature: inferenceConfig.temperature ?? null, topP: inferenceConfig.topP ?? null }),
    thinking: fields.thinking ? { level: null, budgetTokens: fields.thinking.budget_tokens, show: null } : null,
  });
}

function toolsOf(entries: Recorded[]): Tool[] {
  const tools: Tool[] = [];
  for (const { toolSpec, cachePoint } of entries) {
    if (cachePoint) tools.at(-1)!.cache = { ttl: '5m' };
    else tools.push(tool(toolSpec.name, { description: toolSpec.description, parameters: toolSpec.inputSchema.json }));
  }
  return tools;
}

function turnsOf({ role, content }: Recorded): object[] {
  const results = content.filter((block: Recorded) => block.toolResult).map(({ toolResult }: Recorded) => resultOf(toolResult));
  const parts = partsOf(content.filter((block: Recorded) => !block.toolResult));
  return parts.length > 0 ? [...results, { role, parts }] : results;
}

const resultOf = ({ toolUseId, content, status }: Recorded): ToolTurn => ({
  role: 'tool',
  callId: toolUseId,
  name: null,
  parts: partsOf(content) as ToolTurn['parts'],
  isError: status === 'error',
});

/** A mark for the cache belongs to the part before it, and a line end before it only keeps it apart from a document. */
function partsOf(blocks: Recorded[]): object[] {
  const parts: { cache?: CacheMark }[] = [];
  for (const [at, block] of blocks.entries()) {
    if (block.cachePoint) parts.at(-1)!.cache = { ttl: '5m' };
    else if (!(block.text === '\n' && blocks[at + 1]?.cachePoint)) parts.push(partOf(block));
  }
  return parts;
}

function partOf({ text, document, reasoningContent, toolUse }: Recorded): object {
  if (document)
    return { type: 'file', name: 'secret.txt', source: { kind: 'base64', mediaType: 'text/plain', data: document.source.bytes } };
  if (toolUse) return { type: 'tool_call', id: toolUse.toolUseId, name: toolUse.name, arguments: JSON.stringify(toolUse.input) };
  if (!reasoningContent) return { type: 'text', text };
  return { type: 'reasoning', origin: 'anthropic', redacted: null, id: null, ...reasoningContent.reasoningText };
}

/** A request without what says nothing, and without what Weir decides. */
export function plain(request: Recorded): object {
  const { guardrailConfig: _not, system = [], additionalModelRequestFields: fields = {}, inferenceConfig = {}, ...rest } = request;
  const { maxTokens: _limit, ...inference } = inferenceConfig;
  const text = JSON.stringify({ ...rest, messages: merged(rest.messages), system, fields, inference });
  return JSON.parse(
    text.replaceAll(',"status":"success"', '').replaceAll(/"schema":("(?:[^"\\]|\\.)*")/g, (_all, json) => `"schema":${JSON.parse(json)}`),
  );
}

function merged(messages: Recorded[]): object[] {
  const out: Recorded[] = [];
  for (const { role, content } of messages) {
    if (out.at(-1)?.role === role) out.at(-1).content.push(...content);
    else out.push({ role, content: [...content] });
  }
  return out;
}
