import type { ServerResponse } from 'node:http';
import type { DialectName } from '../../src/dialects/dialect.js';
import { event as awsEvent } from '../support/aws-frames.js';
import { quantity } from '../support/ledger.js';
import { eventually } from '../support/weir.js';
import { modelOf, PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, type SurfaceRow, send } from './support/surfaces.js';

/** A provider's count that came early: of its input, and of one token of output. */
const EARLY = { input: 5_000, output: 1 };
const PIECES = 12;
const PIECE = 'Every word of this sentence was made by the model and is billed. '.repeat(2);
const DELIVERED = PIECE.length * PIECES;
/** No provider bills more bytes than these to a token of plain text. */
const BYTES_PER_TOKEN = 4;

const sse = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;
const named = (event: { type: string; [field: string]: unknown }): string => `event: ${event.type}\n${sse(event)}`;
const aws = (type: string, payload: object): Buffer => awsEvent(type, JSON.stringify(payload));

const chatUsage = { prompt_tokens: EARLY.input, completion_tokens: EARLY.output, total_tokens: EARLY.input + EARLY.output };

/** A stream whose count comes early, as its events before the final one. */
interface EarlyStream {
  type?: string;
  /** The count is one that its format has. */
  counts: boolean;
  first(): (string | Buffer)[];
  piece(text: string): string | Buffer;
}

const STREAMS: Readonly<Record<DialectName, EarlyStream>> = {
  'openai-chat': {
    counts: true,
    first: () => [sse({ id: 'c', model: 'm', choices: [{ index: 0, delta: { role: 'assistant', content: '' } }], usage: chatUsage })],
    piece: (content) => sse({ id: 'c', model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: null }], usage: chatUsage }),
  },
  'openai-completions': {
    counts: true,
    first: () => [],
    piece: (text) => sse({ id: 'c', model: 'm', choices: [{ index: 0, text, finish_reason: null }], usage: chatUsage }),
  },
  'openai-responses': {
    counts: true,
    first: () => [
      named({
        type: 'response.created',
        response: { id: 'r', model: 'm', output: [], usage: { input_tokens: EARLY.input, output_tokens: EARLY.output } },
      }),
      named({ type: 'response.output_item.added', output_index: 0, item: { type: 'message', id: 'm', role: 'assistant', content: [] } }),
    ],
    piece: (delta) => named({ type: 'response.output_text.delta', output_index: 0, content_index: 0, item_id: 'm', delta }),
  },
  'anthropic-messages': {
    counts: true,
    first: () => [
      named({
        type: 'message_start',
        message: {
          id: 'm',
          type: 'message',
          role: 'assistant',
          model: 'm',
          content: [],
          stop_reason: null,
          usage: { input_tokens: EARLY.input, output_tokens: EARLY.output },
        },
      }),
      named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    ],
    piece: (text) => named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
  },
  gemini: {
    counts: true,
    first: () => [],
    piece: (text) =>
      sse({
        candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] } }],
        usageMetadata: { promptTokenCount: EARLY.input, candidatesTokenCount: EARLY.output },
      }),
  },
  'bedrock-converse': {
    type: 'application/vnd.amazon.eventstream',
    counts: true,
    first: () => [
      aws('messageStart', { role: 'assistant' }),
      aws('metadata', { usage: { inputTokens: EARLY.input, outputTokens: EARLY.output } }),
    ],
    piece: (text) => aws('contentBlockDelta', { contentBlockIndex: 0, delta: { text } }),
  },
  ollama: {
    type: 'application/x-ndjson',
    counts: true,
    first: () => [],
    piece: (content) =>
      `${JSON.stringify({ model: 'm', message: { content }, done: false, prompt_eval_count: EARLY.input, eval_count: EARLY.output })}\n`,
  },
  cohere: {
    counts: true,
    first: () => [
      named({ type: 'message-start', id: 'c', delta: { usage: { tokens: { input_tokens: EARLY.input, output_tokens: EARLY.output } } } }),
    ],
    piece: (text) => named({ type: 'content-delta', index: 0, delta: { message: { content: { text } } } }),
  },
  'workers-ai': {
    counts: true,
    first: () => [],
    piece: (response) => sse({ response, usage: chatUsage }),
  },
};

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});

afterAll(() => rig.stop());

interface Booked {
  status: string;
  estimated: boolean;
  input: number;
  output: number;
}

let seen = 0;

/** What the next call was booked as. */
async function nextBooked(): Promise<Booked> {
  let rows: Booked[] = [];
  await eventually(async () => {
    ({ rows } = await rig.weir.db.query<Booked>(
      `SELECT c.status, c.estimated, (${quantity('l', 'input')} + ${quantity('l', 'cacheRead')})::int AS input, (${quantity('l', 'output')})::int AS output
       FROM calls c JOIN ledger_entries l ON l.call_id = c.id AND l.kind = 'usage' ORDER BY c.admitted_at, c.id`,
    ));
    return rows.length > seen;
  }, 10_000);
  seen = rows.length;
  return rows.at(-1)!;
}

const long = (surface: SurfaceRow, model: string, limit = 4_000) =>
  surface.body(model, 'Hello', { stream: true, [surface.limitField!]: limit });

async function writeAll(response: ServerResponse, type: string, events: readonly (string | Buffer)[]): Promise<void> {
  response.writeHead(200, { 'content-type': type });
  for (const event of events) await new Promise((resolve) => response.write(event, resolve));
}

const eventsOf = ({ first, piece }: EarlyStream, pieces = PIECES): (string | Buffer)[] => [
  ...first(),
  ...Array.from({ length: pieces }, () => piece(PIECE)),
];

const pairs = CONVERSATIONS.flatMap((surface) => PROVIDER_FORMATS.map((format) => ({ surface, format })));

test('an answer that its provider breaks off is booked for all that was delivered, whatever was counted early', async () => {
  const wrong: string[] = [];
  for (const { surface, format } of pairs) {
    const early = STREAMS[format.dialect];
    rig.upstream.script = async (_call, response) => {
      await writeAll(response, early.type ?? 'text/event-stream', eventsOf(early));
      // What was written is with the other side before the connection breaks.
      setTimeout(() => response.socket?.resetAndDestroy(), 20);
    };
    const reply = await send(rig.to, surface, long(surface, modelOf(format)));
    await reply.text().catch(() => '');
    const booked = await nextBooked();
    const right = booked.estimated && booked.output >= DELIVERED / BYTES_PER_TOKEN && (!early.counts || booked.input >= EARLY.input);
    if (!right) wrong.push(JSON.stringify([surface.route, format.dialect, booked]));
  }
  expect(wrong).toEqual([]);
});

test('an answer that Weir cuts at its output limit is booked for all that was delivered', async () => {
  const wrong: string[] = [];
  const limit = 50;
  for (const { surface, format } of pairs) {
    const early = STREAMS[format.dialect];
    rig.upstream.script = (_call, response) => writeAll(response, early.type ?? 'text/event-stream', eventsOf(early));
    const reply = await send(rig.to, surface, long(surface, modelOf(format), limit));
    await reply.text().catch(() => '');
    const booked = await nextBooked();
    // It is cut once it is certain: at eight bytes to a token.
    if (!(booked.estimated && booked.output >= (limit * 8) / BYTES_PER_TOKEN))
      wrong.push(JSON.stringify([surface.route, format.dialect, booked]));
  }
  expect(wrong).toEqual([]);
});

/** Output that is no text: each event, and the tokens that it is at least. */
const OTHER: [string, DialectName, (string | Buffer)[], number][] = [
  [
    'an image of Gemini',
    'gemini',
    [sse({ candidates: [{ index: 0, content: { parts: [{ inlineData: { mimeType: 'image/png', data: 'aGk=' } }] } }] })],
    1_290,
  ],
  [
    'code that Gemini runs',
    'gemini',
    [sse({ candidates: [{ index: 0, content: { parts: [{ executableCode: { language: 'PYTHON', code: PIECE } }] } }] })],
    PIECE.length / BYTES_PER_TOKEN,
  ],
  [
    'reasoning that is sealed',
    'anthropic-messages',
    [
      ...STREAMS['anthropic-messages'].first(),
      named({ type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: PIECE.repeat(9) } }),
    ],
    (PIECE.length * 9) / BYTES_PER_TOKEN,
  ],
  [
    "the input of the provider's own tool",
    'anthropic-messages',
    [
      ...STREAMS['anthropic-messages'].first(),
      named({ type: 'content_block_start', index: 1, content_block: { type: 'server_tool_use', id: 's', name: 'web_search', input: {} } }),
      named({ type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: PIECE } }),
    ],
    PIECE.length / BYTES_PER_TOKEN,
  ],
  [
    'the arguments of a tool',
    'openai-chat',
    [
      sse({
        id: 'c',
        model: 'm',
        choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '' } }] } }],
      }),
      sse({ id: 'c', model: 'm', choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: PIECE } }] } }] }),
    ],
    PIECE.length / BYTES_PER_TOKEN,
  ],
  [
    'an image of chat',
    'openai-chat',
    [
      sse({
        id: 'c',
        model: 'm',
        choices: [{ index: 0, delta: { content: '', images: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } }] } }],
      }),
    ],
    1_290,
  ],
  [
    'what chat says aloud',
    'openai-chat',
    [sse({ id: 'c', model: 'm', choices: [{ index: 0, delta: { audio: { id: 'a', transcript: PIECE } } }] })],
    PIECE.length / BYTES_PER_TOKEN,
  ],
  [
    'a field of a vendor beside a text of chat',
    'openai-chat',
    [
      sse({ id: 'c', model: 'm', choices: [{ index: 0, delta: { role: 'assistant', content: 'x' } }] }),
      sse({ id: 'c', model: 'm', choices: [{ index: 0, delta: { content: 'x', vendor_thoughts: PIECE } }] }),
    ],
    PIECE.length / BYTES_PER_TOKEN,
  ],
  [
    'reasoning of chat in pieces with their state',
    'openai-chat',
    [
      sse({
        id: 'c',
        model: 'm',
        choices: [{ index: 0, delta: { content: '', reasoning_details: [{ type: 'reasoning.encrypted', data: PIECE.repeat(9) }] } }],
      }),
    ],
    (PIECE.length * 9) / BYTES_PER_TOKEN,
  ],
  [
    'code of a response that the provider runs',
    'openai-responses',
    [
      ...STREAMS['openai-responses'].first(),
      named({ type: 'response.code_interpreter_call_code.delta', output_index: 1, item_id: 'ci', delta: PIECE }),
    ],
    PIECE.length / BYTES_PER_TOKEN,
  ],
  [
    'an image of a response, in part',
    'openai-responses',
    [
      ...STREAMS['openai-responses'].first(),
      named({ type: 'response.image_generation_call.partial_image', output_index: 1, item_id: 'ig', partial_image_b64: 'aGk=' }),
    ],
    1_290,
  ],
  [
    'a plan of Cohere',
    'cohere',
    [named({ type: 'tool-plan-delta', delta: { message: { tool_plan: PIECE } } })],
    PIECE.length / BYTES_PER_TOKEN,
  ],
];

test('every kind of output counts, translated and as it is', async () => {
  const wrong: string[] = [];
  for (const [what, dialect, events, tokens] of OTHER) {
    const format = PROVIDER_FORMATS.find((one) => one.dialect === dialect)!;
    for (const surface of CONVERSATIONS) {
      rig.upstream.script = async (_call, response) => {
        await writeAll(response, STREAMS[dialect].type ?? 'text/event-stream', events);
        setTimeout(() => response.socket?.resetAndDestroy(), 20);
      };
      const reply = await send(rig.to, surface, long(surface, modelOf(format)));
      await reply.text().catch(() => '');
      const booked = await nextBooked();
      if (!(booked.estimated && booked.output >= Math.floor(tokens))) wrong.push(JSON.stringify([what, surface.route, booked]));
    }
  }
  expect(wrong).toEqual([]);
});

test('a whole answer that breaks off in the middle is booked for what came of it', async () => {
  const wrong: string[] = [];
  const said = { text: PIECE.repeat(PIECES), usage: { input: 9, cacheRead: 0, output: 900 } };
  for (const { surface, format } of pairs) {
    rig.upstream.script = (call, response) => {
      const original = response.end.bind(response);
      response.end = ((body: string | Buffer) => {
        const bytes = Buffer.from(body);
        response.write(bytes.subarray(0, bytes.length - 200), () => setTimeout(() => response.socket?.resetAndDestroy(), 20));
        return response;
      }) as typeof original;
      return format.says(said)(call, response);
    };
    const reply = await send(rig.to, surface, { ...long(surface, modelOf(format)), stream: false });
    await reply.text().catch(() => '');
    const booked = await nextBooked();
    if (!(booked.estimated && booked.output >= (DELIVERED - 200) / BYTES_PER_TOKEN))
      wrong.push(JSON.stringify([surface.route, format.dialect, booked]));
  }
  expect(wrong).toEqual([]);
});
