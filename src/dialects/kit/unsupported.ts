import { type ErrorCode, WeirError } from '../../kernel/errors.js';
import { rulesOf } from '../../model-rules/index.js';
import type { DialectName } from '../dialect.js';

/** A model that might do what another one cannot. */
interface Candidate {
  dialects: readonly DialectName[];
  /** The id whose rules apply. */
  model: string;
  facts: { contextWindow: number | null; tools: boolean | null; vision: boolean | null };
}

export type IsAble = (candidate: Candidate) => boolean;

/** A request that its model or provider cannot serve, and others can. */
export class Unsupported extends WeirError {
  constructor(
    param: string,
    message: string,
    /** Tells who can. */
    readonly isAble: IsAble,
    code: ErrorCode = 'invalid_request',
  ) {
    super(code, { param, message });
  }

  /** The same, with the names of models that can. */
  naming(models: readonly string[]): WeirError {
    if (models.length === 0) return this;
    return new WeirError(this.code, { param: this.param!, message: `${this.message} Models here that can: ${models.join(', ')}.` });
  }
}

/** Served in one of these formats. A name of the client's own format means that the request passes as it is. */
export const speaks =
  (...formats: DialectName[]): IsAble =>
  ({ dialects, model }) =>
    rulesOf(model).work.converses && dialects.some((dialect) => formats.includes(dialect));

/** Facts as of November 2026. */
const inChat = speaks('openai-chat');
const inGemini = speaks('gemini');

/** OpenAI's search models. */
export const searches: IsAble = (model) => inChat(model) && rulesOf(model.model).work.searches;
/** OpenAI's audio models. */
export const speaksAloud: IsAble = (model) => inChat(model) && rulesOf(model.model).work.speaks;
export const hearsAudio: IsAble = (model) => inGemini(model) || speaksAloud(model);
/** `n` above 1. */
export const answersSeverally: IsAble = (model) => inGemini(model) || (inChat(model) && !rulesOf(model.model).openai.responsesOnly);
export const readsFiles: IsAble = speaks('gemini', 'anthropic-messages', 'openai-responses', 'bedrock-converse');
export const seesImages: IsAble = ({ facts }) => facts.vision === true;
export const callsTools: IsAble = ({ facts }) => facts.tools === true;
export const stops: IsAble = ({ model }) => rulesOf(model).work.converses && rulesOf(model).openai.stop;
/** Continues a text as the older completions do. */
export const completes: IsAble = ({ dialects, model }) => dialects.includes('openai-completions') && !rulesOf(model).openai.chatOnly;
/** Any format of conversations that says what the answer is to look like. */
export const structures: IsAble = ({ dialects, model }) =>
  rulesOf(model).work.converses && dialects.some((dialect) => dialect !== 'openai-completions');
