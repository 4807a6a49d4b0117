import type { z } from 'zod';
import { ApprovalObject } from '../../approvals/index.js';
import { CallObject, ExplanationObject } from '../../calls/index.js';
import type { Method } from '../../egress-rules/index.js';
import { PutSession } from '../surfaces/own-sessions.js';
import {
  ChatReply,
  ChatRequest,
  CompletionRequest,
  CountRequest,
  DeletedSession,
  EmbeddingsReply,
  EmbeddingsRequest,
  Key,
  MessagesReply,
  MessagesRequest,
  Model,
  ModelList,
  PlainReply,
  ProviderReply,
  ResponsesReply,
  ResponsesRequest,
  SessionObject,
  TokenCount,
} from './schemas.js';

/** What the OpenAPI document says of a route. */
export interface Operation {
  id: string;
  tag: 'Inference' | 'Models' | 'Account' | 'Passthrough';
  summary: string;
  description?: string;
  /** With an example that works on a fresh `npm start`. */
  request?: { schema: z.ZodType; example: object };
  reply: { schema: z.ZodType; example?: object };
}

const MODEL = 'mock/echo';
const messages = [{ role: 'user', content: 'Hello' }];

export const OPERATIONS = {
  chat: {
    id: 'createChatCompletion',
    tag: 'Inference',
    summary: 'Create a chat completion, in the format of the OpenAI Chat Completions API.',
    description:
      'Works with every provider, whatever format it speaks. Fields that the format of the provider does not support are left out and named in `x-weir-warnings`.',
    request: { schema: ChatRequest, example: { model: MODEL, messages, max_completion_tokens: 100 } },
    reply: { schema: ChatReply },
  },
  completion: {
    id: 'createCompletion',
    tag: 'Inference',
    summary: 'Complete a text, in the format of the OpenAI Completions API.',
    request: { schema: CompletionRequest, example: { model: MODEL, prompt: 'Hello', max_tokens: 100 } },
    reply: { schema: ChatReply },
  },
  response: {
    id: 'createResponse',
    tag: 'Inference',
    summary: 'Create a response, in the format of the OpenAI Responses API.',
    request: { schema: ResponsesRequest, example: { model: MODEL, input: 'Hello', max_output_tokens: 100 } },
    reply: { schema: ResponsesReply },
  },
  message: {
    id: 'createMessage',
    tag: 'Inference',
    summary: 'Create a message, in the format of the Anthropic Messages API.',
    request: { schema: MessagesRequest, example: { model: MODEL, messages, max_tokens: 100 } },
    reply: { schema: MessagesReply },
  },
  chatComplete: {
    id: 'createChatComplete',
    tag: 'Inference',
    summary: 'Create a chat completion, with a small reply that is the same for every provider.',
    request: { schema: ChatRequest, example: { model: MODEL, messages } },
    reply: { schema: PlainReply },
  },
  embeddings: {
    id: 'createEmbeddings',
    tag: 'Inference',
    summary: 'Create embeddings, in the format of the OpenAI Embeddings API.',
    request: { schema: EmbeddingsRequest, example: { model: 'mock/embeddings', input: 'Hello' } },
    reply: { schema: EmbeddingsReply },
  },
  countTokens: {
    id: 'countTokens',
    tag: 'Inference',
    summary: 'Count the input tokens of a message, in the format of the Anthropic API. Costs nothing.',
    request: { schema: CountRequest, example: { model: MODEL, messages } },
    reply: { schema: TokenCount, example: { input_tokens: 8 } },
  },
  listModels: {
    id: 'listModels',
    tag: 'Models',
    summary: 'List the models that the key may use.',
    description:
      'With the header `anthropic-version` the list has the shape of the Anthropic Models API, by page: `limit`, `after_id`, `before_id`.',
    reply: { schema: ModelList },
  },
  getModel: { id: 'getModel', tag: 'Models', summary: 'Get a model: its limits, capabilities and price.', reply: { schema: Model } },
  getKey: {
    id: 'getKey',
    tag: 'Account',
    summary: 'Get the key itself, with its limits and the budgets its calls count against.',
    reply: { schema: Key },
  },
  putSession: {
    id: 'putSession',
    tag: 'Account',
    summary: 'Set the defaults of a session: the model and the thinking level of its calls that say nothing else.',
    description: 'They replace the defaults that the session had. They are forgotten 30 days after its last call.',
    request: { schema: PutSession, example: { id: 'chat-42', default_model: MODEL } },
    reply: { schema: SessionObject },
  },
  getSession: { id: 'getSession', tag: 'Account', summary: 'Get the defaults of a session.', reply: { schema: SessionObject } },
  deleteSession: {
    id: 'deleteSession',
    tag: 'Account',
    summary: 'Delete the defaults of a session.',
    reply: { schema: DeletedSession },
  },
  getCall: {
    id: 'getCall',
    tag: 'Account',
    summary: 'Get a call that the key made: its tokens, cost and attempts.',
    reply: { schema: CallObject },
  },
  getApproval: {
    id: 'getApproval',
    tag: 'Account',
    summary: 'Get an approval that the key needed: whether it was decided, and how.',
    reply: { schema: ApprovalObject },
  },
  explainCall: {
    id: 'explainCall',
    tag: 'Account',
    summary: 'Explain a call that the key made: its route, targets, attempts, holds, costs and budgets.',
    description: 'Calls that were refused before money was held are not kept, and get 404.',
    reply: { schema: ExplanationObject },
  },
} as const satisfies Record<string, Operation>;

/** A request to a provider's own API, whatever it answers there. */
export const passthrough = (method: Method): Operation => ({
  id: `${method.toLowerCase()}Passthrough`,
  tag: 'Passthrough',
  summary: `Send a ${method} to a provider's own API.`,
  description:
    "An egress rule of the tenant has to allow the method and the path. The status and the body of the answer are the provider's own.",
  reply: { schema: ProviderReply },
});
