import type { ServerResponse } from 'node:http';
import type { DialectName } from '../../src/dialects/dialect.js';
import { event as awsData, awsEvent } from '../support/aws-frames.js';
import { quantity } from '../support/ledger.js';
import type { Script } from '../support/upstream.js';
import { eventsOf, modelOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, type SurfaceRow, send } from './support/surfaces.js';

const sse = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;
const named = (type: string, event: object): string => `event: ${type}\n${sse(event)}`;
const line = (event: object): string => `${JSON.stringify(event)}\n`;

type Kind = 'limited' | 'busy' | 'wrong';

/** A refusal as a format has it: within a stream, and as a reply with a status of its own. */
interface Refused {
  event: string | Buffer;
  status: number;
  body: object;
  headers?: Record<string, string>;
}

const chatError = (error: object, status: number): Refused => ({ event: sse({ error }), status, body: { error } });
const CHAT: Record<Kind, Refused> = {
  limited: chatError({ message: 'Slow.', type: 'rate_limit_error', code: 'rate_limit_exceeded' }, 429),
  busy: chatError({ message: 'Busy.', type: 'overloaded_error' }, 503),
  wrong: chatError({ message: 'No.', type: 'invalid_request_error', param: 'top_p', code: null }, 400),
};
const messagesError = (type: string, status: number): Refused => {
  const body = { type: 'error', error: { type, message: 'No.' } };
  return { event: named('error', body), status, body };
};
const geminiError = (code: number, status: string): Refused => {
  const body = { error: { code, status, message: 'No.' } };
  return { event: sse(body), status: code, body };
};
const awsException = (type: string, status: number): Refused => ({
  event: awsEvent({ ':message-type': 'exception', ':exception-type': type, ':content-type': 'application/json' }, '{"message":"No."}'),
  status,
  body: { message: 'No.' },
  headers: { 'x-amzn-errortype': type },
});
const failedResponse = (code: string, status: number): Refused => ({
  event:
    named('response.created', { type: 'response.created', response: { id: 'r', model: 'm', output: [], usage: null } }) +
    named('response.failed', {
      type: 'response.failed',
      response: { id: 'r', model: 'm', status: 'failed', output: [], usage: null, error: { code, message: 'No.' } },
    }),
  status,
  body: { error: { code, message: 'No.' } },
});

const REFUSALS: Readonly<Record<DialectName, Partial<Record<string, Refused>>>> = {
  'openai-chat': {
    ...CHAT,
    'limited, by a number': chatError({ message: 'Slow.', code: 429 }, 429),
    'wrong, with its fields at the top': {
      event: sse({ object: 'error', message: 'No.', code: 400 }),
      status: 400,
      body: { object: 'error', message: 'No.', code: 400 },
    },
    failed: chatError({ message: 'Failed.', type: 'server_error' }, 500),
  },
  'openai-completions': CHAT,
  'openai-responses': {
    limited: failedResponse('rate_limit_exceeded', 429),
    wrong: failedResponse('invalid_prompt', 400),
    'limited, as an error': {
      event: named('error', { type: 'error', code: 'rate_limit_exceeded', message: 'Slow.', param: null }),
      status: 429,
      body: { error: { code: 'rate_limit_exceeded', message: 'Slow.' } },
    },
  },
  'anthropic-messages': {
    limited: messagesError('rate_limit_error', 429),
    busy: messagesError('overloaded_error', 529),
    wrong: messagesError('invalid_request_error', 400),
    failed: messagesError('api_error', 500),
  },
  gemini: {
    limited: geminiError(429, 'RESOURCE_EXHAUSTED'),
    busy: geminiError(503, 'UNAVAILABLE'),
    wrong: geminiError(400, 'INVALID_ARGUMENT'),
  },
  'bedrock-converse': {
    limited: awsException('throttlingException', 429),
    busy: awsException('serviceUnavailableException', 503),
    wrong: awsException('validationException', 400),
  },
  ollama: {
    busy: { event: line({ error: 'server busy, please try again' }), status: 503, body: { error: 'server busy, please try again' } },
  },
  cohere: {
    failed: { event: sse({ id: 'c', message: 'internal server error' }), status: 500, body: { id: 'c', message: 'internal server error' } },
  },
  'workers-ai': {
    ...CHAT,
    'limited, in the envelope': {
      event: sse({ success: false, errors: [{ code: 3040, message: 'Capacity.' }] }),
      status: 429,
      body: { success: false, errors: [{ code: 3040, message: 'Capacity.' }] },
    },
  },
};

const TEXT = 'Every word of this sentence was made by the model and is billed. '.repeat(8);
const TYPES: Partial<Record<DialectName, string>> = {
  'bedrock-converse': 'application/vnd.amazon.eventstream',
  ollama: 'application/x-ndjson',
};

const streamOf =
  ({ dialect }: ProviderFormat, events: readonly (string | Buffer)[]): Script =>
  (_call, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': TYPES[dialect] ?? 'text/event-stream' });
    for (const event of events) response.write(event);
    response.end();
  };
const replyOf =
  ({ status, body, headers }: Refused): Script =>
  (_call, response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});

afterAll(() => rig.stop());

interface Seen {
  status: number;
  text: string;
  booked: { status: string; http_status: number; error_code: string; estimated: boolean; state: string; amount: string; output: number };
}

async function ask(surface: SurfaceRow, format: ProviderFormat, stream = true): Promise<Seen> {
  const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { stream, [surface.limitField!]: 4_000 }));
  const text = await reply.text();
  const id = reply.headers.get('x-request-id')!.replace('call_', '');
  const { rows } = await rig.weir.db.query<Seen['booked']>(
    `SELECT c.status, c.http_status, c.error_code, c.estimated, h.state, coalesce(sum(l.amount), 0)::text AS amount, coalesce(sum(${quantity('l', 'output')}), 0)::int AS output
     FROM calls c JOIN holds h ON h.id = c.id LEFT JOIN ledger_entries l ON l.call_id = c.id WHERE replace(c.id::text, '-', '') = $1
     GROUP BY c.status, c.http_status, c.error_code, c.estimated, h.state`,
    [id],
  );
  return { status: reply.status, text: text.replaceAll(/(?:call|req|resp|msg|chatcmpl|cmpl|chat)[_-]\w+/g, 'id'), booked: rows[0]! };
}

const cases = CONVERSATIONS.flatMap((surface) =>
  PROVIDER_FORMATS.flatMap((format) =>
    Object.entries(REFUSALS[format.dialect]).map(([what, refused]) => ({ surface, format, what, refused: refused! })),
  ),
);

test('a stream that begins with a refusal is answered and booked as a refusal with a status of its own', async () => {
  const wrong: string[] = [];
  for (const { surface, format, what, refused } of cases) {
    rig.upstream.script = replyOf(refused);
    const plain = await ask(surface, format);
    for (const stream of [true, false]) {
      rig.upstream.script = streamOf(format, [refused.event]);
      const streamed = await ask(surface, format, stream);
      const isRight =
        streamed.status === plain.status &&
        streamed.status >= 400 &&
        JSON.stringify(streamed.booked) === JSON.stringify(plain.booked) &&
        streamed.booked.amount === '0' &&
        streamed.booked.state === 'voided';
      if (!isRight) wrong.push(JSON.stringify([surface.route, format.dialect, what, stream, streamed, plain]));
    }
  }
  expect(wrong).toEqual([]);
});

test('a failure after some of an answer was delivered is booked as a cut answer, and told in the format of the stream', async () => {
  const wrong: string[] = [];
  for (const { surface, format, what, refused } of cases) {
    const { events } = eventsOf(format, { text: TEXT, usage: { input: 9, cacheRead: 0, output: 900 } });
    const said = events.findIndex((event) => event.includes(TEXT.slice(-60)));
    const failure =
      format.dialect === 'openai-responses' ? String(refused.event).replace(/^event: response.created\n.*\n\n/, '') : refused.event;
    rig.upstream.script = streamOf(format, [...events.slice(0, said + 1), failure]);
    const { status, text, booked } = await ask(surface, format);
    const isRight =
      status === 200 &&
      text.includes(TEXT.slice(-60)) &&
      /error|fail/i.test(text) &&
      booked.status === 'cut' &&
      booked.state === 'settled' &&
      booked.estimated &&
      booked.output >= TEXT.length / 4;
    if (!isRight) wrong.push(JSON.stringify([surface.route, format.dialect, what, status, text, booked]));
  }
  expect(wrong).toEqual([]);
});

test('a failure after a count of the prompt, or amid an answer that had begun, is booked', async () => {
  const begun: [DialectName, string | Buffer, Refused][] = [
    [
      'anthropic-messages',
      named('message_start', {
        type: 'message_start',
        message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage: { input_tokens: 500, output_tokens: 1 } },
      }),
      messagesError('overloaded_error', 529),
    ],
    ['bedrock-converse', awsData('messageStart', '{"role":"assistant"}'), awsException('modelStreamErrorException', 424)],
    ['gemini', sse({ candidates: [], usageMetadata: { promptTokenCount: 500 } }), geminiError(429, 'RESOURCE_EXHAUSTED')],
  ];
  for (const [dialect, first, refused] of begun) {
    const format = PROVIDER_FORMATS.find((one) => one.dialect === dialect)!;
    rig.upstream.script = streamOf(format, [first, refused.event]);
    const { booked } = await ask(CONVERSATIONS[0]!, format);
    expect([dialect, booked.state, booked.estimated, booked.amount !== '0']).toEqual([dialect, 'settled', true, true]);
  }
});
