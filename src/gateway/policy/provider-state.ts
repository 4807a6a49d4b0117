import { createHash } from 'node:crypto';
import { type CallRequest, threadUnsupported } from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import type { Target } from '../../routing/index.js';
import { type Place, pathOf, type Visit } from './walk.js';

/**
 * Fields that refer to what a provider keeps: conversations, files, stores, containers, caches, prompts. Names without case, `_` and `-`. Facts as
 * of 2026-11.
 */
const REFERENCES = new Set([
  ...[
    'previousresponseid',
    'previousmessageid',
    'previousinteractionid',
    'conversationid',
    'responseid',
    'threadid',
    'assistantid',
    'batchid',
  ],
  ...['fileid', 'fileids', 'fileuri', 'vectorstoreid', 'vectorstoreids', 'knowledgeid', 'containerid', 'skillid', 'memoryid'],
  ...['cachedcontent', 'cacheid', 'cachename', 'contextid', 'promptid'],
]);
/** At the top only: elsewhere the word means something else. */
const TOP_REFERENCES = new Set(['conversation', 'thread', 'container']);
/** Where true, something is kept. */
const KEEPING = new Set(['store', 'background', 'deferred']);

/** Addresses that a provider reads with the account's own rights, or out of its files. */
const ACCOUNT_ADDRESS =
  /^(?:gs|s3|azureml|fileid):\/\/|^https:\/\/(?:generativelanguage\.googleapis\.com\/|[\w-]+-aiplatform\.googleapis\.com\/|api\.openai\.com\/|api\.anthropic\.com\/)/i;
const STORED_PROMPT = /^arn:[^:]*:bedrock:[^:]*:[^:]*:prompt\//i;

/**
 * An account that several tenants share keeps nothing for any of them: whoever knew an id could read what another left there.
 * @throws WeirError invalid_request naming the model. The visit throws it naming the field.
 */
export function refusingProviderState({ model }: Pick<Target, 'model'>): Visit {
  if (STORED_PROMPT.test(model)) throw keeps('model');
  return (name, value, place) => {
    if (value === null || value === undefined || value === false) return;
    const isTop = place.parent === null;
    if (name === 'thread' && isTop)
      throw threadUnsupported('The account of this provider is shared between tenants, so no thread is kept there.');
    if (REFERENCES.has(name) || (isTop && TOP_REFERENCES.has(name)) || (KEEPING.has(name) && value === true)) throw keeps(pathOf(place));
    if (isReference(name, value, place)) throw keeps(pathOf(place));
  };
}

/** What only its value tells from content. */
function isReference(name: string, value: unknown, place: Place): boolean {
  switch (name) {
    case 'type':
      return place.inConversation && value === 'item_reference';
    case 'role':
      return value === 'cache';
    // Text is the same word in the older completions.
    case 'prompt':
      return place.parent === null && isObject(value) && 'id' in value;
    case 'container':
      return typeof value === 'string';
    // Of an answer that was spoken.
    case 'audio':
      return place.inConversation && isObject(value) && 'id' in value;
    case 'input':
      return place.parent === null && Array.isArray(value) && value.some(isBareId);
    case 'url':
    case 'imageurl':
    case 'fileurl':
    case 'uri':
    case 'text':
    case 'content':
      return typeof value === 'string' && ACCOUNT_ADDRESS.test(value) && (!isText(name) || /^fileid:/i.test(value));
    default:
      return false;
  }
}

const isText = (name: string): boolean => name === 'text' || name === 'content';
/** An item that is nothing but its id, or an image that is not there. */
const isBareId = (item: unknown): boolean =>
  isObject(item) &&
  'id' in item &&
  ((!('type' in item) && !('role' in item)) || (item['type'] === 'image_generation_call' && item['result'] == null));

function keeps(param: string): WeirError {
  return new WeirError('invalid_request', {
    param,
    message: `"${param}" refers to what a provider keeps, and the account of this one is shared between tenants, so nothing is kept there. Send the whole content in the request, or use a provider with your own key.`,
  });
}

/** Whom a client serves, and what it groups its calls by: providers tell callers of one account apart by these. */
const IDENTITIES = ['user', 'safety_identifier', 'prompt_cache_key', 'session_id'] as const;

/** The request as a shared account may see it: what names a caller is the tenant's own, and what an id of the account would be looked up by is left out. */
export function sharedPrompt(prompt: CallRequest, tenantId: string): CallRequest {
  const { body } = prompt;
  const named = IDENTITIES.filter((name) => typeof body[name] === 'string');
  const changes: Record<string, unknown> = Object.fromEntries(named.map((name) => [name, opaque(tenantId, body[name] as string)]));
  const { metadata, input } = body;
  if (isObject(metadata) && typeof metadata['user_id'] === 'string')
    changes['metadata'] = { ...metadata, user_id: opaque(tenantId, metadata['user_id']) };
  if (Array.isArray(input) && input.some(hasId)) changes['input'] = input.flatMap(withoutId);
  return Object.keys(changes).length === 0 ? prompt : { ...prompt, body: { ...body, ...changes } };
}

/** Tells tenants and their users apart, and nothing more. */
const opaque = (tenantId: string, value: string): string =>
  `weir_${createHash('sha256').update(`${tenantId}\0${value}`).digest('base64url')}`;

/** Items that say all they are beside their id. */
const SELF_CONTAINED = new Set<unknown>([
  'message',
  'reasoning',
  'function_call',
  'function_call_output',
  'custom_tool_call',
  'custom_tool_call_output',
]);
const hasId = (item: unknown): boolean => isObject(item) && 'id' in item;

/** Reasoning that is not in the request would be looked up by its id. */
function withoutId(item: unknown): unknown[] {
  if (!isObject(item) || !('id' in item) || !(item['type'] === undefined || SELF_CONTAINED.has(item['type']))) return [item];
  if (item['type'] === 'reasoning' && typeof item['encrypted_content'] !== 'string') return [];
  const { id: _, ...rest } = item;
  return [rest];
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
