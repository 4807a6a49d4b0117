import type { Usage } from '../../../kernel/usage.js';
import type { Answer, AnswerChoice, AnswerPart, ReasoningPart, UrlCitation } from '../../canonical.js';
import type { CallRequest, ReplyIdentity } from '../../dialect.js';
import { encodeDetails } from '../reasoning-details.js';
import { encodeUsage } from '../usage.js';
import { type CallStyle, callStyleOf, encodeCalls, finishReasonOf } from './call-style.js';

export const replyId = ({ id }: ReplyIdentity): string => `chatcmpl-${id}`;

/** A whole chat completion. */
export function encodeAnswer(answer: Answer, usage: Usage, identity: ReplyIdentity, _raw: unknown, prompt: CallRequest): string {
  const style = callStyleOf(prompt);
  return JSON.stringify({
    id: replyId(identity),
    object: 'chat.completion',
    created: identity.createdAt,
    model: answer.model ?? identity.model,
    choices: answer.choices.map((choice, index) => encodeChoice(choice, index, style)),
    usage: encodeUsage(usage),
  });
}

function encodeChoice(choice: AnswerChoice, index: number, style: CallStyle): object {
  return {
    index,
    message: encodeMessage(choice, style),
    logprobs: choice.logprobs && { content: choice.logprobs, refusal: null },
    finish_reason: finishReasonOf(choice.finish, style),
    native_finish_reason: choice.native,
  };
}

const PLAIN_CALLS: CallStyle = { custom: new Set(), legacy: false };

/** The answer as a message, with all that its provider wants back. */
export function encodeMessage({ parts, annotations }: AnswerChoice, style = PLAIN_CALLS): object {
  const of = <Type extends AnswerPart['type']>(type: Type) =>
    parts.filter((part): part is Extract<AnswerPart, { type: Type }> => part.type === type);
  const text = textOf(of('text'));
  const refusal = textOf(of('refusal'));
  const reasoning = of('reasoning');
  const calls = of('tool_call');
  const images = of('image');
  const details = reasoning.flatMap((part: ReasoningPart, index) => encodeDetails(part, index));
  const thought = textOf(reasoning);
  return {
    role: 'assistant',
    // Clients tell an answer that is only calls or a refusal by its null.
    content: text === '' && (calls.length > 0 || refusal !== '') ? null : text,
    refusal: refusal || null,
    ...(thought !== '' && { reasoning_content: thought }),
    ...(details.length > 0 && { reasoning_details: details }),
    ...encodeCalls(calls, style),
    ...(annotations.length > 0 && { annotations: annotations.map(encodeAnnotation) }),
    ...(images.length > 0 && { images: images.map(encodeImage) }),
  };
}

const textOf = (parts: readonly { text: string }[]): string => parts.map(({ text }) => text).join('');

export const encodeAnnotation = ({ url, title, start, end }: UrlCitation): object => ({
  type: 'url_citation',
  url_citation: { url, title: title ?? url, start_index: start ?? 0, end_index: end ?? 0 },
});

export const encodeImage = ({ mediaType, data }: { mediaType: string; data: string }): object => ({
  type: 'image_url',
  image_url: { url: `data:${mediaType};base64,${data}` },
});
