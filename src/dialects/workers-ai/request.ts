import { rulesOf } from '../../model-rules/index.js';
import type { Conversation } from '../canonical.js';
import { rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { type JsonObject, objectOf, readJson, writeJson } from '../kit/json.js';
import { leftOut, settingsLeftOut } from '../kit/left-out.js';
import { pathSegment } from '../kit/path-segment.js';
import { answersSeverally, Unsupported } from '../kit/unsupported.js';
import { encodeRequest as encodeChatRequest } from '../openai-chat/upstream/request.js';
import type { Quirks } from '../quirks.js';

/** How chat is taken here. */
const CHAT: Quirks = {
  maxTokensField: 'max_tokens',
  developerRole: false,
  textContent: true,
  nullContent: true,
  streamOptions: false,
  strictTools: false,
};

/** Writes a request for `/run/{model}`: a chat request, but for the model, which is in the path, and the form of a schema. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  if (conversation.choices > 1)
    throw new Unsupported(
      'n',
      'Workers AI gives one answer per request. Leave "n" out, or send the request several times.',
      answersSeverally,
    );
  const { settings, toolChoice } = conversation;
  const asked: Conversation = {
    ...conversation,
    // It knows no choice of none.
    ...(toolChoice?.type === 'none' && { tools: [], toolChoice: null }),
    parallelToolCalls: null,
    settings: { ...settings, topK: null, logprobs: null, topLogprobs: null, logitBias: null },
  };
  const thinking: Quirks = rulesOf(rulesId(rewrite)).open.thinking !== 'none' ? {} : { thinking: 'none' };
  const chat = encodeChatRequest(asked, { ...rewrite, quirks: { ...CHAT, ...thinking, ...rewrite.quirks } });
  const { model: _inPath, response_format: format, ...body } = readJson(chat.body) as JsonObject;
  if (format !== undefined) body['response_format'] = schemaItself(objectOf(format));
  if (settings.topK !== null) body['top_k'] = settings.topK;
  return { ...chat, path: pathOf(rewrite.model), body: writeJson(body), warnings: [...chat.warnings, ...notTaken(conversation)] };
}

/** Model ids hold slashes and an at sign, which stay as they are. */
const pathOf = (model: string): string =>
  `/run/${model
    .split('/')
    .map((segment) => pathSegment(segment).replace('%40', '@'))
    .join('/')}`;

/** The schema stands where chat has an object with its name. */
const schemaItself = (format: JsonObject): JsonObject =>
  format['type'] === 'json_schema' ? { type: 'json_schema', json_schema: objectOf(format['json_schema'])['schema'] } : format;

const notTaken = ({ settings, parallelToolCalls, tools }: Conversation): string[] => [
  ...settingsLeftOut(settings, 'logprobs', 'topLogprobs', 'logitBias'),
  ...(parallelToolCalls === false && tools.length > 0 ? [leftOut('parallel_tool_calls')] : []),
];
