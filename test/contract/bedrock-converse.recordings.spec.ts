import { bedrockConverse } from '../../src/dialects/bedrock-converse/index.js';
import type { AssistantTurn } from '../../src/dialects/canonical.js';
import { ProviderRefusal } from '../../src/dialects/dialect.js';
import { fold } from '../../src/dialects/kit/fold.js';
import { conversation, result, rewrite, user } from '../support/conversations.js';
import { conversationOf, plain } from '../support/converse-requests.js';
import { eventsOf, expectedSummary, recordings, requestOf, responseOf, rows, summary } from './recordings.js';

const APIS = ['converse', 'converse-stream'];
const all = recordings(({ provider, api }) => provider === 'bedrock' && APIS.includes(api));
const answered = all.filter(({ http_status, expected }) => http_status === 200 && !expected.error);
const streams = answered.filter(({ stream }) => stream);

describe('recorded Bedrock traffic', () => {
  test.each(rows(answered.filter(({ stream }) => !stream)))('%s says what it says', (_id, one) => {
    if (one) expect(summary(bedrockConverse.decodeAnswer(responseOf(one), {}))).toEqual(expectedSummary(one));
  });

  test.each(rows(streams))('%s says the same in pieces of any size', (_id, one) => {
    if (!one) return;
    const bytes = responseOf(one);
    for (const size of [1, 2, 3, 7, 16, 1024, bytes.length]) {
      const { events, complete } = eventsOf(bedrockConverse, bytes, size);
      expect(complete).toBe(true);
      expect(summary(events)).toEqual(expectedSummary(one));
    }
  });

  test.each(rows(streams))('%s cut within a frame is an error, cut before its stop is not complete', (_id, one) => {
    if (!one) return;
    const bytes = responseOf(one);
    expect(() => eventsOf(bedrockConverse, bytes.subarray(0, -1), 16)).toThrow();
    const { events, complete } = eventsOf(bedrockConverse, bytes.subarray(0, startOfFrame(bytes, 'messageStop')), 16);
    expect(complete).toBe(false);
    expect(events.some(({ type }) => type === 'finish')).toBe(false);
  });

  test.each(rows(all.filter(({ stream, expected }) => stream && expected.error)))('%s is a refusal within the stream', (_id, one) => {
    if (!one) return;
    expect(() => eventsOf(bedrockConverse, responseOf(one), 7)).toThrow(ProviderRefusal);
  });

  test.each(rows(all.filter(({ http_status }) => http_status !== 200)))('%s is a refusal with its sentence', (_id, one) => {
    if (!one) return;
    const { class: kind, message } = bedrockConverse.decodeRefusal(one.http_status, responseOf(one), {});
    expect(message).toBe(one.expected.error?.message);
    expect(['bad_request', 'model_not_found']).toContain(kind);
  });
});

describe('recorded Bedrock requests', () => {
  const asked = all.filter(({ files, source }) => files.request !== undefined && source.uri !== undefined);

  test.each(rows(asked))('%s can be asked again', (_id, one) => {
    if (!one) return;
    const model = decodeURIComponent(/model\/([^/]+)/.exec(one.source.uri!)![1]!);
    const recorded = requestOf(one);
    const again = { ...conversationOf(recorded), stream: one.api === 'converse-stream' };
    const request = bedrockConverse.encodeRequest(again, rewrite(model));
    expect(one.source.uri).toContain(request.path);
    expect(plain(JSON.parse(request.body))).toEqual(plain(recorded));
  });
});

const replies = answered.filter(({ id, stream }) => !stream && !id.includes('guardrail'));

test.each(rows(replies))('%s goes back as it came', (_id, one) => {
  if (!one) return;
  const { output } = JSON.parse(responseOf(one).toString());
  const [choice] = fold(bedrockConverse.decodeAnswer(responseOf(one), {})).choices;
  const calls = choice!.parts.filter((part) => part.type === 'tool_call');
  const turns = [
    user('Hi'),
    { role: 'assistant', parts: choice!.parts } as AssistantTurn,
    ...calls.map(({ id }) => result(id, 'r')),
    user('Go on'),
  ];
  const { body } = bedrockConverse.encodeRequest(conversation({ turns }), rewrite('us.anthropic.claude-sonnet-4-5-20250929-v1:0'));
  const back = JSON.parse(body).messages[1].content;
  const signed = output.message.content.filter((block: { reasoningContent?: { reasoningText?: { signature?: string } } }) => {
    const text = block.reasoningContent?.reasoningText;
    return text === undefined || text.signature !== undefined;
  });
  expect(ids(back)).toEqual(ids(signed));
});

/** Only ids are changed that Bedrock itself would refuse. */
const ids = (blocks: object[]) => JSON.parse(JSON.stringify(blocks).replace(/"toolUseId":"[^"]*"/g, '"toolUseId":""'));

/** Where the frame of this type begins. */
function startOfFrame(bytes: Buffer, type: string): number {
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    if (bytes.subarray(at, at + bytes.readUInt32BE(at)).includes(type)) return at;
  }
  throw new Error(`there is no ${type}`);
}
