import { ResponseStream } from 'openai/lib/responses/ResponseStream';
import { WeirError } from '../../kernel/errors.js';
import { atOnce } from '../../kernel/slices.js';
import { NO_USAGE } from '../../kernel/usage.js';
import type { UpstreamParams } from '../dialect.js';
import { framesOf } from '../kit/frames.js';
import { responsesSurface, responsesVerbatim } from './index.js';
import { encryptedContent } from './state.js';

type Wire = Record<string, unknown>;

const REWRITE: UpstreamParams = { model: 'gpt-5', maxOutputTokens: 100, thinkingLevel: null, quirks: {} };
const USAGE = { ...NO_USAGE, input: 1, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 5, reasoning: null };

function encode(body: Wire, rewrite: Partial<UpstreamParams> = {}) {
  const prompt = responsesSurface.decodeRequest({ model: 'openai/gpt-5', ...body }, 1);
  const request = responsesVerbatim.encodeRequest(prompt, { ...REWRITE, ...rewrite });
  return { ...request, sent: JSON.parse(request.body) };
}

describe('requests', () => {
  test('pass as they are, but for the model and the output limit', () => {
    const body = { previous_response_id: 'resp_1', input: 'x', store: true, something_new: { a: 1 }, tools: [{ type: 'web_search' }] };
    expect(encode(body).sent).toEqual({ ...body, model: 'gpt-5', max_output_tokens: 100 });
  });

  test("another vendor's state is not sent to this one", () => {
    const foreign = encryptedContent({ origin: 'anthropic', signature: 's', redacted: null, id: null, call: false });
    const own = { type: 'reasoning', summary: [], encrypted_content: 'gAAAA' };
    const input = [{ type: 'reasoning', summary: [], encrypted_content: foreign }, own, 'odd'];
    expect(encode({ input }).sent.input).toEqual([own, 'odd']);
  });

  test("the caller's setting asks for an effort where the request does not", () => {
    expect(encode({ input: 'x' }, { thinkingLevel: 'low' })).toMatchObject({
      sent: { reasoning: { effort: 'low' } },
      thinkingLevel: 'low',
    });
    const own = encode({ input: 'x', reasoning: { effort: 'high' } }, { thinkingLevel: 'low' });
    expect(own).toMatchObject({ sent: { reasoning: { effort: 'high' } }, thinkingLevel: 'high' });
  });
});

const event = (fields: Wire) => `event: ${fields['type']}\ndata: ${JSON.stringify(fields)}\n\n`;
const head = { id: 'resp_1', object: 'response', status: 'in_progress', model: 'gpt-5', output: [], tools: [] };
const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] };
const place = { item_id: 'msg_1', output_index: 0, content_index: 0 };
const BEGIN = [
  { type: 'response.created', sequence_number: 0, response: head },
  { type: 'response.output_item.added', sequence_number: 1, output_index: 0, item },
  { type: 'response.content_part.added', sequence_number: 2, ...place, part: { type: 'output_text', text: '', annotations: [] } },
];
const delta = (sequence_number: number, text: string) => ({
  type: 'response.output_text.delta',
  sequence_number,
  ...place,
  delta: text,
  logprobs: [],
});

function readerOf(maxOutputTokens: number) {
  return responsesVerbatim.streamReader!(responsesSurface.decodeRequest({ model: 'm', input: 'x', stream: true }, 1), maxOutputTokens);
}

const push = (reader: ReturnType<typeof readerOf>, events: Wire[]) =>
  Buffer.concat(atOnce(reader.push(Buffer.from(events.map(event).join(''))))).toString();
const parse = (sse: string): Wire[] => framesOf('sse', Buffer.from(sse)).map(({ data }) => JSON.parse(data));

describe('streams', () => {
  test('cut at the output limit end as the provider would have ended them, so that the official SDK can read on', async () => {
    const reader = readerOf(2);
    const passed = push(reader, [...BEGIN, delta(3, 'What'), delta(4, ' you'), delta(5, ' said'), delta(6, ' so')]);
    expect(reader.overLimit).toBe(true);
    const sse = passed + reader.tail(USAGE, null).toString();
    const events = parse(sse);
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(events.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: { id: 'resp_1', status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
    });
    const lines = new Blob(events.map((one) => `${JSON.stringify(one)}\n`)).stream();
    expect((await ResponseStream.fromReadableStream(lines).finalResponse()).status).toBe('incomplete');
  });

  test('that break off end in a failure of the same response, with what there was', () => {
    const reader = readerOf(100);
    const passed = push(reader, [...BEGIN, delta(3, 'hel')]);
    atOnce(reader.finish());
    expect(reader.complete).toBe(false);
    const events = parse(passed + reader.failure(new WeirError('upstream_interrupted')).toString());
    expect(events.at(-1)).toMatchObject({
      type: 'response.failed',
      sequence_number: 4,
      response: { id: 'resp_1', error: { code: 'server_error' }, output: [{ content: [{ text: 'hel' }] }] },
    });
  });

  test("the provider's own failure is told in our words, with its usage", () => {
    const reader = readerOf(100);
    const error = { code: 'server_error', message: 'secret' };
    const usage = { input_tokens: 7, output_tokens: 1, total_tokens: 8 };
    const failed = { type: 'response.failed', sequence_number: 3, response: { ...head, status: 'failed', error, usage } };
    const passed = push(reader, [...BEGIN, failed]);
    atOnce(reader.finish());
    expect(passed).not.toContain('secret');
    expect(reader.refusal).toMatchObject({ class: 'server', message: 'secret' });
    expect(reader.facts.usage).toMatchObject({ input: 7, output: 1 });
    expect(parse(reader.failure(new WeirError('upstream_error')).toString())[0]).toMatchObject({ sequence_number: 3 });
  });
});

test.each([-1, 4_294_967_294, Number.MAX_SAFE_INTEGER])(
  'an item at the place %p takes no room in the end that is written here',
  (output_index) => {
    const reader = readerOf(100);
    atOnce(
      reader.push(
        Buffer.from([...BEGIN, { type: 'response.output_item.added', sequence_number: 3, output_index, item }].map(event).join('')),
      ),
    );
    atOnce(
      reader.push(
        Buffer.from(event({ type: 'response.content_part.added', sequence_number: 4, output_index: 0, content_index: output_index })),
      ),
    );
    const [frame] = framesOf('sse', reader.failure(new WeirError('upstream_interrupted')));
    expect(JSON.parse(frame!.data).response.output).toMatchObject([{ id: 'msg_1', content: [{ type: 'output_text' }] }]);
  },
);
