import type { AnswerPart, AssistantTurn, Turn } from '../../src/dialects/canonical.js';
import { gemini } from '../../src/dialects/gemini/index.js';
import { fold } from '../../src/dialects/kit/fold.js';
import { conversation as conversationOf } from '../support/conversations.js';
import { recordings, requestOf, responseOf, rows } from './recordings.js';

type Part = Record<string, unknown> & {
  text?: string;
  thoughtSignature?: string;
  functionCall?: { id?: string; name: string; args?: object };
  functionResponse?: { id: string; name: string; response: object };
};
interface Content {
  role: string;
  parts: Part[];
}

function contentsSent(turns: Turn[], model: string): Content[] {
  const conversation = conversationOf({ turns });
  const { body } = gemini.encodeRequest(conversation, { model, maxOutputTokens: 1, thinkingLevel: null, quirks: {} });
  return JSON.parse(body).contents;
}

const all = recordings(({ provider, http_status }) => provider === 'gemini' && http_status === 200);
const history = all.filter((one) => one.files.request !== undefined && JSON.stringify(requestOf(one)).includes('functionResponse'));
const answers = all.filter(({ stream, expected }) => !stream && (expected.text || expected.tool_calls?.length));

describe('what Gemini said goes back to it as it said it', () => {
  test.each(rows(history))('%s, as another client sent it', (_id, one) => {
    if (!one) return;
    const recorded = requestOf(one)['contents'] as Content[];
    expect(contentsSent(recorded.flatMap(turnsOf), one.expected.upstream_model!)).toEqual(recorded);
  });

  test.each(rows(answers))('%s, in the turn after it', (_id, one) => {
    if (!one) return;
    const { candidates } = JSON.parse(responseOf(one).toString()) as { candidates: { content: Content }[] };
    const parts = fold(gemini.decodeAnswer(responseOf(one), {})).choices[0]!.parts.map(withId);
    const results = parts.flatMap((part): Turn[] => (part.type === 'tool_call' ? [resultTurn(part.id, part.name, {})] : []));
    const turns: Turn[] = [
      { role: 'user', parts: [{ type: 'text', text: 'x' }] },
      { role: 'assistant', parts } as AssistantTurn,
      ...results,
    ];
    const sent = contentsSent(turns, one.expected.upstream_model ?? 'gemini-3-pro-preview')[1]!;
    for (const { functionCall } of sent.parts) delete functionCall?.id;
    expect(sent).toEqual(candidates[0]!.content);
  });
});

/** Gemini gives no ids; the gateway does. */
const withId = (part: AnswerPart, at: number): AnswerPart => (part.type === 'tool_call' ? { ...part, id: `call_${at}` } : part);

const resultTurn = (callId: string, name: string, response: object): Turn => ({
  role: 'tool',
  callId,
  name,
  parts: [{ type: 'text', text: JSON.stringify(response) }],
  isError: false,
});

/** The turns that a recorded content stands for. */
function turnsOf({ role, parts }: Content): Turn[] {
  if (role === 'model') return [{ role: 'assistant', parts: parts.map(assistantPart) }];
  return parts.map(({ text, functionResponse }): Turn => {
    if (functionResponse) return resultTurn(functionResponse.id, functionResponse.name, functionResponse.response);
    return { role: 'user', parts: [{ type: 'text', text: text! }] };
  });
}

function assistantPart({ text, functionCall, thoughtSignature }: Part): AssistantTurn['parts'][number] {
  if (!functionCall) return { type: 'text', text: text! };
  const signature = thoughtSignature === undefined ? {} : { signature: thoughtSignature };
  return { type: 'tool_call', id: functionCall.id!, name: functionCall.name, arguments: JSON.stringify(functionCall.args), ...signature };
}
