import { REPLY_FORMATS, type ReplyFormat } from '../support/tool-replies.js';
import { answer, json, type Script, type UpstreamCall } from '../support/upstream.js';
import { caseRig, type Outcome } from './support/case-rig.js';

const rig = caseRig();

const OK = { text: 'ok', usage: { input: 9, cacheRead: 0, output: 12 } };
const HELLO = [{ role: 'user', content: 'Hi' }];
const MODEL = 'model-of-tomorrow';

/** How clients of each surface ask, without a limit on the answer. */
const SURFACES: Record<string, { path: string; body: object; field: string | null }> = {
  chat: { path: '/v1/chat/completions', body: { messages: HELLO }, field: 'max_completion_tokens' },
  Responses: { path: '/v1/responses', body: { input: 'Hi' }, field: 'max_output_tokens' },
  completions: { path: '/v1/completions', body: { prompt: 'Hi' }, field: 'max_tokens' },
  'chat/complete': { path: '/v1/chat/complete', body: { messages: HELLO }, field: 'max_tokens' },
};

/** The limit that a provider was sent, in any format. */
function limitIn({ body }: UpstreamCall): unknown {
  const found = /"(?:max_tokens|max_completion_tokens|max_output_tokens|maxOutputTokens|maxTokens|num_predict)":(\d+)/.exec(
    JSON.stringify(body),
  );
  return found && Number(found[1]);
}

const typeOf = ({ type, dialect }: ReplyFormat): string => (type === 'openai' ? `openai (dialect: ${dialect})` : type);
const told = ({ headers }: Outcome): string | null => headers.get('x-weir-max-tokens');

const CELLS = Object.entries(SURFACES).flatMap(([surface, { path, body }]) =>
  Object.values(REPLY_FORMATS).flatMap((format) =>
    [false, true].map((stream) => ({ surface, path, body, format, dialect: format.dialect, stream })),
  ),
);

test.each(CELLS)('a client of $surface that sets no limit has room for a long file over $dialect, streamed: $stream', async (cell) => {
  const { path, body, format, stream } = cell;
  const seen = await rig.send(path, typeOf(format), MODEL, { ...body, stream }, format.says(OK));
  expect([seen.status, limitIn(seen.sent!), told(seen)]).toEqual([200, 32_768, '32768']);
});

/** A tag with a budget, which nothing else is counted by. @param limit USD. */
async function tagWith(limit: string): Promise<Record<string, string>> {
  const tag = `tag-${++tags}`;
  await rig.tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tag', value: tag }, limit, period: 'month' });
  return { 'x-weir-tags': tag };
}
let tags = 0;

// The rig's models cost 1 and 2 USD per million tokens: 4,096 of output are 0.0082 USD, 32,768 are 0.0655.
describe.each(Object.entries(SURFACES))('of a client of %s', (_surface, { path, body, field }) => {
  const ask = (headers: Record<string, string>, fields: object = {}) =>
    rig.send(path, 'openai', MODEL, { ...body, ...fields }, answer(), headers);
  const limitOf = async (headers: Record<string, string>, fields: object = {}) => {
    const seen = await ask(headers, fields);
    return [seen.status, seen.sent ? limitIn(seen.sent) : seen.body.error.code, told(seen)];
  };

  test.each([
    ['1.00', 32_768],
    ['0.40', 25_000],
    ['0.08', 5_000],
    ['0.02', 4_096],
    ['0.01', 4_096],
  ])('the default takes an eighth of a budget of %s USD, and 4,096 where that is more', async (limit, tokens) => {
    expect(await limitOf(await tagWith(limit))).toEqual([200, tokens, String(tokens)]);
  });

  test('of several budgets the tightest counts', async () => {
    const both = (await Promise.all(['0.40', '0.08', '5.00'].map(tagWith))).map((headers) => headers['x-weir-tags']);
    expect(await limitOf({ 'x-weir-tags': both.join(',') })).toEqual([200, 5_000, '5000']);
  });

  test('a budget that 4,096 do not fit refuses the call, unless it may be fitted', async () => {
    const headers = await tagWith('0.005');
    expect(await limitOf(headers)).toEqual([402, 'request_exceeds_budget', null]);
    const [status, tokens] = await limitOf({ ...headers, 'x-weir-fit': 'shrink' });
    expect([status, Number(tokens) > 2_000 && Number(tokens) < 2_500]).toEqual([200, true]);
  });

  test('a cost limit lowers the default, to 4,096 at least', async () => {
    const [status, tokens] = await limitOf({ 'x-weir-max-cost': '0.02' });
    expect([status, Number(tokens) > 9_000 && Number(tokens) <= 10_000]).toEqual([200, true]);
    expect(await limitOf({ 'x-weir-max-cost': '0.001' })).toEqual([402, 'cost_limit_exceeded', null]);
  });

  test('a limit of the client itself is never lowered', async () => {
    const fields = { [field!]: 30_000 };
    expect(await limitOf(await tagWith('1.00'), fields)).toEqual([200, 30_000, null]);
    expect(await limitOf(await tagWith('0.08'), fields)).toEqual([200, 30_000, null]);
    expect(await limitOf(await tagWith('0.05'), fields)).toEqual([402, 'request_exceeds_budget', null]);
  });
});

describe('calls beside each other', () => {
  test('a budget of 0.20 USD has room for many', async () => {
    const headers = await tagWith('0.20');
    let arrived = 0;
    let release = (): void => {};
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    const waiting: Script = async (call, response) => {
      if (++arrived === 8) release();
      await all;
      await answer()(call, response);
    };
    const ask = () => rig.send('/v1/chat/completions', 'openai', MODEL, { messages: HELLO }, waiting, headers);
    const statuses = (await Promise.all(Array.from({ length: 8 }, ask))).map(({ status }) => status);
    expect(statuses).toEqual(Array(8).fill(200));
  });

  test('a limit on tokens is no reason to refuse a default that 4,096 would not be refused for', async () => {
    const tag = `tag-${++tags}`;
    const scope = { kind: 'tag', value: tag };
    await rig.tenant.admin('POST', '/v1/organization/rate_limits', { scope, max_tokens_per_1_minute: 6_000 });
    const seen = await rig.send('/v1/chat/completions', 'openai', MODEL, { messages: HELLO }, answer(), { 'x-weir-tags': tag });
    expect([seen.status, limitIn(seen.sent!)]).toEqual([200, 4_096]);
  });
});

/** Sentences by which servers refuse a limit that is above what their model gives. */
const SENTENCES = [
  'max_tokens is too large: 32768. This model supports at most 8192 completion tokens, whereas you provided 32768.',
  "This model's maximum context length is 8192 tokens. However, you requested 32778 tokens (10 in the messages, 32768 in the completion).",
  '`max_completion_tokens` must be less than or equal to `8192`',
  'max_tokens: 32768 > 8192, which is the maximum allowed number of output tokens for model-x',
  "Invalid 'max_output_tokens': integer above maximum value.",
  '`inputs` tokens + `max_new_tokens` must be <= 8192',
  'The maximum tokens you requested exceeds the model limit of 8192.',
];

describe.each([400, 422])('where a provider refuses a default with %i', (status) => {
  test.each(SENTENCES.flatMap((sentence) => [false, true].map((stream) => ({ sentence, stream }))))(
    'the call is made again with 4,096: $sentence, streamed: $stream',
    async ({ sentence, stream }) => {
      const before = rig.upstream.calls.length;
      const strict: Script = (call, response) =>
        (Number(limitIn(call)) > 8_192 ? json(status, { error: { message: sentence, type: 'invalid_request_error' } }) : answer())(
          call,
          response,
        );
      const seen = await rig.send('/v1/chat/completions', 'openai', MODEL, { messages: HELLO, stream }, strict);
      expect([seen.status, told(seen)]).toEqual([200, '4096']);
      expect(rig.upstream.calls.slice(before).map(limitIn)).toEqual([32_768, 4_096]);
    },
  );

  test('a limit that the client chose, and any other refusal, is not tried again', async () => {
    const before = rig.upstream.calls.length;
    const refuse = (message: string) => json(status, { error: { message } });
    const ask = async (fields: object, message: string) =>
      (await rig.send('/v1/chat/completions', 'openai', MODEL, { messages: HELLO, ...fields }, refuse(message))).status;
    expect(await ask({ max_tokens: 30_000 }, SENTENCES[0]!)).toBeGreaterThanOrEqual(400);
    expect(await ask({}, 'messages: at least one message is needed')).toBeGreaterThanOrEqual(400);
    expect(rig.upstream.calls.length - before).toBe(2);
  });
});
