import type { Usage } from '../../../kernel/usage.js';
import type { Answer, AnswerChoice, AnswerPart, ReasoningPart, ToolCallPart, UrlCitation } from '../../canonical.js';
import type { ReplyIdentity } from '../../dialect.js';
import { encodeDetails } from '../reasoning-details.js';
import { encodeUsage } from '../usage.js';

export const replyId = ({ id }: ReplyIdentity): string => `chatcmpl-${id}`;

/** A whole chat completion. */
export function encodeAnswer(answer: Answer, usage: Usage, identity: ReplyIdentity): string {
  return JSON.stringify({
    id: replyId(identity),
    object: 'chat.completion',
    created: identity.createdAt,
    model: answer.model ?? identity.model,
    choices: answer.choices.map(encodeChoice),
    usage: encodeUsage(usage),
  });
}

function encodeChoice(choice: AnswerChoice, index: number): object {
  return {
    index,
    message: encodeMessage(choice),
    logprobs: choice.logprobs && { content: choice.logprobs, refusal: null },
    finish_reason: choice.finish,
    native_finish_reason: choice.native,
  };
}

/** The answer as a message, with all that its provider wants back. */
export function encodeMessage({ parts, annotations }: AnswerChoice): object {
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
    ...(calls.length > 0 && { tool_calls: calls.map(encodeCall) }),
    ...(annotations.length > 0 && { annotations: annotations.map(encodeAnnotation) }),
    ...(images.length > 0 && { images: images.map(encodeImage) }),
  };
}

const textOf = (parts: readonly { text: string }[]): string => parts.map(({ text }) => text).join('');

const encodeCall = ({ id, name, arguments: args, signature }: ToolCallPart): object => ({
  id,
  type: 'function',
  function: { name, arguments: args },
  ...encodeSignature(signature),
});

/** As Gemini's compatible endpoint carries it. */
export const encodeSignature = (signature: string | undefined): object =>
  signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } };

export const encodeAnnotation = ({ url, title, start, end }: UrlCitation): object => ({
  type: 'url_citation',
  url_citation: { url, title: title ?? url, start_index: start ?? 0, end_index: end ?? 0 },
});

export const encodeImage = ({ mediaType, data }: { mediaType: string; data: string }): object => ({
  type: 'image_url',
  image_url: { url: `data:${mediaType};base64,${data}` },
});
