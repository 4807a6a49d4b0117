import { anthropicMessages, messagesSurface, messagesVerbatim } from './anthropic-messages/index.js';
import { bedrockConverse } from './bedrock-converse/index.js';
import { chatCompleteSurface } from './chat-complete/index.js';
import { chooseDialect } from './choose.js';
import { cohere } from './cohere/index.js';
import { type CallFormat, type DialectName, rulesId, type Surface, type SurfaceName, type Upstream, type Verbatim } from './dialect.js';
import { hiddenPromptTokens } from './families/hidden-prompt.js';
import { gemini } from './gemini/index.js';
import { betasLeftOut, versionLeftOut } from './kit/anthropic-headers.js';
import { pathSegment } from './kit/path-segment.js';
import { RecalledState } from './kit/recalled-state.js';
import { addedToolTokens, toolsIn } from './kit/tools-in.js';
import { ollama } from './ollama/index.js';
import { chatSurface, chatVerbatim, openaiChat } from './openai-chat/index.js';
import { completionsSurface, completionsVerbatim, openaiCompletions } from './openai-completions/index.js';
import { MIN_OUTPUT_TOKENS, openaiResponses, responsesSurface, responsesVerbatim } from './openai-responses/index.js';
import type { Quirks } from './quirks.js';
import { CanonicalTranslation, VerbatimTranslation } from './translation.js';
import { compactsFrom, featureIn } from './units/index.js';
import { workersAi } from './workers-ai/index.js';

const SURFACES: Readonly<Record<SurfaceName, Surface>> = {
  'openai-chat': chatSurface,
  'openai-completions': completionsSurface,
  'openai-responses': responsesSurface,
  'anthropic-messages': messagesSurface,
  'chat-complete': chatCompleteSurface,
};

interface Format {
  upstream: Upstream;
  verbatim?: Verbatim;
  /** The part of the path that holds the format's version, which base URLs are often given without. */
  baseVersion?: { path: string; present: RegExp };
  /** Where Vertex AI has the models that it serves in this format, after a project's location. */
  onVertex?: string;
  /** A lower output limit is refused by providers. */
  leastOutputTokens?: number;
  /** Claude's betas have a place in it. */
  betas?: true;
  /** What providers of the format add to a request with tools, whatever the model; what models add is in `hiddenPrompt` of the model's rules. */
  toolPromptTokens?: number;
}

/** Where Vertex AI has Google's own models. Its address is often given with it. */
const GOOGLES_OWN = '/publishers/google';

/** As with Claude, which its format is made for. */
const TOOL_PROMPT = 1_000;
/** Weir's own, for tools that are prompted. */
const PROMPTED_TOOLS = 500;

const UPSTREAMS: Readonly<Record<DialectName, Format>> = {
  'openai-chat': { upstream: openaiChat, verbatim: chatVerbatim, onVertex: '/endpoints/openapi' },
  'openai-completions': { upstream: openaiCompletions, verbatim: completionsVerbatim },
  'openai-responses': { upstream: openaiResponses, verbatim: responsesVerbatim, leastOutputTokens: MIN_OUTPUT_TOKENS },
  'anthropic-messages': {
    upstream: anthropicMessages,
    verbatim: messagesVerbatim,
    baseVersion: { path: '/v1', present: /\/v\d\w*$/ },
    onVertex: '/publishers/anthropic',
    toolPromptTokens: TOOL_PROMPT,
    betas: true,
  },
  gemini: { upstream: gemini, baseVersion: { path: '/v1beta', present: /\/v\d/ }, onVertex: GOOGLES_OWN },
  'bedrock-converse': { upstream: bedrockConverse, toolPromptTokens: TOOL_PROMPT, betas: true },
  ollama: { upstream: ollama, baseVersion: { path: '/api', present: /\/api$/ } },
  cohere: { upstream: cohere, baseVersion: { path: '/v2', present: /\/v\d/ } },
  'workers-ai': { upstream: workersAi },
};

/** A conversation in this format. Where the provider speaks it too, nothing is translated. */
export function conversationIn(name: SurfaceName): CallFormat {
  const surface = SURFACES[name];
  return {
    decodeRequest: surface.decodeRequest,
    ...(surface.recallItems && { recallItems: surface.recallItems }),
    encodeError: surface.encodeError,
    ...(surface.errors && { errors: surface.errors }),
    open(prompt, { dialects, thinkingLevel, quirks, modelRulesOf, memory }, identity) {
      const ruled = rulesId({ model: identity.model, modelRulesOf });
      const dialect = chooseDialect(dialects, name, ruled, prompt, thinkingLevel);
      const { upstream, verbatim, leastOutputTokens = 1, toolPromptTokens = 0, betas } = UPSTREAMS[dialect];
      const noVersion = versionLeftOut(prompt.anthropicVersion);
      const noBetas = betas ? [] : betasLeftOut(prompt.betas);
      const tools = toolsIn(prompt.body);
      const hasTools = tools.length > 0;
      const prompted = hasTools && quirks.nativeTools === false;
      const hidden = hiddenPromptTokens(ruled, prompt.body, prompted ? [] : tools);
      const added = prompted ? hidden + PROMPTED_TOOLS : Math.max(hidden, hasTools ? toolPromptTokens : 0);
      if (verbatim && name === dialect && quirks.nativeTools !== false) {
        const translation = new VerbatimTranslation(surface, upstream, verbatim, prompt, identity);
        return {
          dialect,
          feature: featureIn(prompt.body, ruled, dialect),
          translation,
          leastOutputTokens,
          addedInputTokens: added,
          compactsFrom: compactsFrom(prompt.body),
          warnings: dialect === 'anthropic-messages' ? [] : [...noBetas, ...noVersion],
        };
      }
      const recalls = memory && surface.forgetful && hasTools && !prompted;
      const recalled = recalls ? new RecalledState(surface.decodeConversation(prompt), memory) : null;
      const translation = new CanonicalTranslation(surface, upstream, prompt, identity, recalled);
      const feature = featureIn(prompt.body, ruled, null);
      const addedInputTokens = added + addedToolTokens(tools) + (recalled?.bytes ?? 0);
      return {
        dialect,
        feature,
        translation,
        leastOutputTokens,
        addedInputTokens,
        compactsFrom: null,
        warnings: [...noBetas, ...noVersion],
      };
    },
  };
}

/** Where a provider is, as far as paths tell. */
interface Place {
  /** Of the base URL, without a trailing slash. */
  basePath: string;
  /** Of an API that is asked by deployment and date. Null: it is not. */
  apiVersion: string | null;
  model: string;
  quirks: Quirks;
}

/** The whole path of a request. @param path its own, after the base path. */
export function pathAt({ basePath, apiVersion, model, quirks }: Place, dialect: DialectName, path: string): string {
  if (apiVersion !== null) {
    // Responses name the deployment in the body.
    const deployment = dialect === 'openai-responses' ? '' : `/deployments/${pathSegment(model)}`;
    return `${basePath}${deployment}${path}?api-version=${apiVersion}`;
  }
  return (quirks.cloud === 'vertex' ? vertexBase(dialect, basePath) : baseFor(dialect, basePath)) + path;
}

const vertexBase = (dialect: DialectName, basePath: string): string =>
  (basePath.endsWith(GOOGLES_OWN) ? basePath.slice(0, -GOOGLES_OWN.length) : basePath) + (UPSTREAMS[dialect].onVertex ?? '');

/** The path of a base URL, with the version the format needs where it was given without. */
function baseFor(dialect: DialectName, basePath: string): string {
  const version = UPSTREAMS[dialect].baseVersion;
  return version && !version.present.test(basePath) ? basePath + version.path : basePath;
}
