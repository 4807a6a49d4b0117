import { once } from 'node:events';
import { armCrash, CRASH_POINTS, type Crash, type CrashPoint } from '../../src/platform/faults/index.js';
import { Rig as ProcessRig } from '../faults/support/rig.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import type { WeirProcess } from '../support/process.js';
import { json, type Script, stream } from '../support/upstream.js';
import { booked, eventually } from '../support/weir.js';
import { modelOf, PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CALLS, CONVERSATIONS, SURFACES, type SurfaceRow, send } from './support/surfaces.js';

jest.setTimeout(60_000);

const SAID = { text: 'Hello from upstream', usage: { input: 9, cacheRead: 0, output: 12 } };
const CHAT = SURFACES.find(({ path }) => path === '/v1/chat/completions')!;

let rig: Rig;
const escaped: unknown[] = [];
const note = (error: unknown) => void escaped.push(error);

beforeAll(async () => {
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
  rig = await startRig();
  await rig.tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1000', period: 'month' });
});

afterEach(async () => {
  armCrash(null);
  await released();
  expect(escaped).toEqual([]);
});

afterAll(async () => {
  expect(await brokenInvariants(rig.weir.db)).toEqual([]);
  await rig.stop();
  process.off('uncaughtException', note);
  process.off('unhandledRejection', note);
});

/** No call leaves anything held, long before any lease is over. */
const released = () =>
  eventually(async () => {
    const { rows } = await rig.weir.db.query<{ open: number }>(`SELECT count(*)::int AS open FROM holds WHERE state = 'open'`);
    return rows[0]!.open === 0;
  });

/** Answers the status, once the whole answer is there; 0: the connection was broken off. */
const status = (surface: SurfaceRow, body: unknown, headers: Record<string, string> = {}): Promise<number> =>
  send(rig.to, surface, body, headers).then(
    async (reply) => {
      await reply.text().catch(() => '');
      return reply.status;
    },
    () => 0,
  );

const streamsOf = ({ streams }: SurfaceRow) => (streams ? [false, true] : [false]);

describe('names', () => {
  const NAMES = ['mock/日本', 'mock/né', 'mock/💥+pace-1', 'mock/100%', 'mock/__proto__', 'mock/constructor', `mock/${'長'.repeat(200)}`];

  test.each(CALLS.map((surface) => [surface.route, surface] as const))(
    '%s takes a model of any letters, and its headers carry it',
    async (_, surface) => {
      for (const name of NAMES) {
        for (const stream of streamsOf(surface)) {
          const reply = await send(rig.to, surface, surface.body(name, 'Hello', stream ? { stream } : {}));
          await reply.text();
          expect([name, reply.status, decodeURIComponent(reply.headers.get('x-weir-model')!)]).toEqual([name, 200, name]);
        }
      }
    },
  );

  test('a name that cannot be is refused in every format of errors', async () => {
    for (const surface of SURFACES.filter(({ method }) => method === 'POST'))
      for (const name of ['nowhere/日本', 'mock/\ud800', '日本', 'mock/a\u0000', 'mock/', '__proto__/x', 'toString'])
        expect([surface.route, name, await status(surface, JSON.stringify(surface.body(name)))]).toEqual([
          surface.route,
          name,
          expect.any(Number),
        ]);
  });

  test('labels of any bytes are taken or refused', async () => {
    for (const header of ['x-weir-session', 'x-weir-tags', 'x-weir-scope', 'anthropic-beta', 'x-weir-max-cost', 'x-weir-fit'])
      for (const value of ['né', '\u00ff\u00fe', '__proto__', '%', '*', '1e999', 'a,'.repeat(900)])
        expect([200, 400, 402]).toContain(await status(CHAT, CHAT.body('mock/echo'), { [header]: value }));
  });
});

const many = (count: number, entry: (at: number) => unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, entry(at)]));
const nested = (levels: number, wrap: (inner: object) => object): object => Array.from({ length: levels }).reduce<object>(wrap, {});

const SCHEMAS: Record<string, unknown> = {
  'required, a number': { type: 'object', required: 5 },
  'required, a text': { type: 'object', required: 'ab' },
  'required, numbers': { type: 'object', required: [1, null, {}] },
  'properties, null': { properties: null },
  'properties, a list': { properties: [1, 2] },
  'properties of null': { properties: { a: null, b: 5, c: 'x' } },
  'allOf, an object': { allOf: {} },
  'anyOf, a text': { anyOf: 'ab' },
  'oneOf of null': { oneOf: [null] },
  'enum, an object with a length': { enum: { length: 1 } },
  'type, an object': { type: {} },
  'type, no types': { type: [] },
  'type, numbers': { type: [5] },
  'minLength, huge': { type: 'string', minLength: 1e9 },
  'minLength, a text': { type: 'string', minLength: 'ab' },
  'maxLength, negative': { type: 'string', maxLength: -5 },
  'format, of the prototype': { type: 'string', format: 'constructor' },
  'format, a number': { type: 'string', format: 5 },
  'pattern, a number': { type: 'string', pattern: 5 },
  'pattern, nested counts': { type: 'string', pattern: '(((((a{1000}){1000}){1000}){1000}){1000})' },
  'pattern, catastrophic': { type: 'string', pattern: `^(a+)+${'(x+x+)+'.repeat(400)}$` },
  'pattern, huge': { type: 'string', pattern: '['.repeat(200_000) },
  'pattern, deep': { type: 'string', pattern: '('.repeat(100_000) },
  'pattern, unfinished': { type: 'string', pattern: 'a{1,\\' },
  'minItems, huge': { type: 'array', minItems: 1e9, items: { type: 'string' } },
  'minItems, infinite': '{"type":"array","minItems":1e999}',
  'items, nested': nested(10, (items) => ({ type: 'array', minItems: 1000, items })),
  'prefixItems, an object': { prefixItems: {} },
  'multipleOf, zero': { type: 'integer', multipleOf: 0 },
  'minimum, a text': { type: 'number', minimum: 'x', maximum: {} },
  '$ref, a number': { $ref: 5 },
  '$ref, no escape': { $ref: '#/%E0%A4%A' },
  '$ref, to itself': { $ref: '#' },
  '$ref, to the prototype': { $ref: '#/__proto__/constructor' },
  '$ref, doubling': {
    $defs: many(30, (at) => ({ type: 'object', properties: { a: { $ref: `#/$defs/p${at + 1}` }, b: { $ref: `#/$defs/p${at + 1}` } } })),
    $ref: '#/$defs/p0',
  },
  '$ref, in alternatives without an end': {
    $defs: many(30, (at) => ({ anyOf: [{ $ref: `#/$defs/p${at + 1}` }, { $ref: `#/$defs/p${at + 1}` }] })),
    $ref: '#/$defs/p0',
  },
  'const, repeated': {
    $defs: { big: { const: 'x'.repeat(100_000) } },
    type: 'object',
    properties: many(1_000, () => ({ $ref: '#/$defs/big' })),
  },
  'allOf, many': { allOf: Array.from({ length: 5_000 }, (_, at) => ({ properties: { [`q${at}`]: {} } })) },
  'a text': 'object',
  'a list': [1],
  null: null,
};

/** Each pair of formats gets some of the schemas; all of them by hand, ATTACK_SCHEMAS=all. */
const STRIDE = process.env['ATTACK_SCHEMAS'] === 'all' ? 1 : 7;

describe('schemas', () => {
  const bodies = (schema: unknown) => [
    { response_format: { type: 'json_schema', json_schema: { name: 'out', schema } } },
    { tools: [{ type: 'function', function: { name: 'f', parameters: schema } }] },
  ];

  test.each(Object.entries(SCHEMAS))('%s gets a value or a refusal', async (_, schema) => {
    const value = typeof schema === 'string' && schema.startsWith('{') ? JSON.parse(schema) : schema;
    for (const more of bodies(value)) {
      const reply = await send(rig.to, CHAT, CHAT.body('mock/echo', 'Hello', more));
      const text = await reply.text();
      expect([200, 400]).toContain(reply.status);
      expect(text.length).toBeLessThan(1_000_000);
      if (reply.status === 400)
        expect(JSON.parse(text).error.message).toMatch(/^The provider "mock" refused the request: The mock provider cannot|must be/);
    }
  });

  test('the same of tools in every format, translated and not, ends each call in order', async () => {
    const tools = (surface: SurfaceRow, parameters: unknown) =>
      surface.path === '/v1/messages'
        ? [{ name: 'f', input_schema: parameters }]
        : surface.path === '/v1/responses'
          ? [{ type: 'function', name: 'f', parameters }]
          : surface.path === '/v1/chat/complete'
            ? [{ name: 'f', parameters }]
            : [{ type: 'function', function: { name: 'f', parameters } }];
    const small = Object.values(SCHEMAS).filter((one) => JSON.stringify(one).length < 50_000);
    let turn = 0;
    for (const surface of CONVERSATIONS.filter((one) => one.tools)) {
      for (const format of PROVIDER_FORMATS) {
        turn++;
        rig.upstream.script = format.says(SAID);
        for (const schema of small.filter((_, at) => at % STRIDE === turn % STRIDE))
          expect([
            surface.route,
            format.dialect,
            await status(surface, surface.body(modelOf(format), 'Hello', { tools: tools(surface, schema) })),
          ]).toEqual([surface.route, format.dialect, expect.any(Number)]);
      }
    }
    expect(await fiveHundreds()).toEqual([]);
  });
});

/** Calls that ended with 500: an exception was caught, and still something was not foreseen. */
const fiveHundreds = async () => (await booked(rig.weir, rig.tenant)).filter(({ http_status }) => http_status === 500);

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const usages = [
  '{"prompt_tokens":"9","completion_tokens":{}}',
  '{"prompt_tokens":1e308,"completion_tokens":1e308}',
  '{"prompt_tokens":-5,"completion_tokens":0.5}',
  '{"prompt_tokens":1e999,"completion_tokens":null}',
  `{"prompt_tokens":1,"completion_tokens":1,"extra":${deep(20_000)}}`,
  `{"prompt_tokens":1,"completion_tokens":1,"extra":"${'x'.repeat(200_000)}"}`,
  '{"prompt_tokens":1,"completion_tokens":1,"extra":"\\ud800 \\u0000"}',
  '{"__proto__":{"a":1},"constructor":{"prototype":{}},"prompt_tokens":1,"completion_tokens":1}',
  '[]',
  '"none"',
  'NaN',
];
const chatReply = (usage: string, model = '"m"', content = '"Hi"') =>
  `{"id":"\\ud800","object":"chat.completion","created":1e999,"model":${model},"choices":[{"index":0,"message":{"role":"assistant","content":${content}},"finish_reason":"stop"}],"usage":${usage}}`;

const REPLIES: [string, Script][] = [
  ...usages.map((usage): [string, Script] => [`usage ${usage.slice(0, 60)}`, json(200, chatReply(usage))]),
  ['a model that is no text', json(200, chatReply('null', '{"a":1}'))],
  ['a model of 100,000 letters', json(200, chatReply('null', `"${'日'.repeat(100_000)}"`))],
  ['half a surrogate pair', json(200, chatReply('null', '"m"', '"\\udfff"'))],
  ['a body nested 100,000 deep', json(200, deep(100_000))],
  ['no JSON', json(200, '\ud800{')],
  ['retry-after that is none', json(429, { error: { message: 'slow', code: 5 } }, { 'retry-after': 'NaN' })],
  ['retry-after, huge', json(429, { error: 'slow' }, { 'retry-after': '9'.repeat(300) })],
  ['an error whose message is an object', json(400, { error: { message: { toString: 1 }, code: { a: 1 } } })],
  ['an error of other letters', json(400, { error: { message: '日本\ud800\u0000' } })],
  ['an error that is a list', json(500, [null])],
  ['a status that is none', json(999, { error: 1 })],
  ['a redirect', json(302, '', { location: 'http://日本/'.replace(/[^\x20-\x7e]/g, '') })],
  ['a content type of other letters', json(200, chatReply('null'), { 'content-type': 'text/event-stream; né' })],
];

describe('replies of a provider', () => {
  test.each(REPLIES)('%s ends in a status, on every surface', async (_, script) => {
    rig.upstream.script = script;
    for (const surface of CALLS)
      for (const stream of streamsOf(surface)) {
        const body = surface.body('openai-chat/test-model', 'Hello', stream ? { stream } : {});
        expect([surface.route, await status(surface, body)]).not.toEqual([surface.route, 0]);
      }
    expect(await fiveHundreds()).toEqual([]);
  });

  const EVENTS = [
    'data: {"choices":{"length":1}}\n\n',
    'data: {"choices":[null]}\n\n',
    'data: null\n\n',
    'data: 5\n\n',
    'event: \ud800\ndata: {}\n\n',
    ...usages.map((usage) => `data: {"choices":[],"usage":${usage}}\n\n`),
  ];

  test('events of every shape end in every format in order, on every surface', async () => {
    for (const format of PROVIDER_FORMATS)
      for (const surface of CONVERSATIONS) {
        rig.upstream.script = stream(EVENTS.slice(0, 5));
        expect([
          surface.route,
          format.dialect,
          await status(surface, surface.body(modelOf(format), 'Hello', { stream: true })),
        ]).not.toContain(0);
      }
    for (const event of EVENTS) {
      rig.upstream.script = stream([
        'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n',
        event,
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        'data: [DONE]\n\n',
      ]);
      for (const surface of CONVERSATIONS)
        expect(await status(surface, surface.body('openai-chat/test-model', 'Hello', { stream: true }))).not.toBe(0);
    }
    expect(await fiveHundreds()).toEqual([]);
  });
});

describe('an exception inside a call', () => {
  /** Where its consequence is this call's. The others are of jobs, or of what is shared by calls. */
  const OF_A_CALL: CrashPoint[] = CRASH_POINTS.filter(
    (point) => !/claim|reap|roll|webhook|journal|settle_sent|hold_sent|after_done/.test(point),
  );
  /** After these the provider has the request, and bills it. */
  const SENT: CrashPoint[] = ['first_byte', 'mid_stream', 'upstream_end', 'settle_committed', 'before_done'];
  const THROW: Omit<Crash, 'point'> = { passing: 1, kind: 'throw' };

  test.each(OF_A_CALL)('at %s is its own 500, is booked if it was sent, and holds nothing', async (point) => {
    for (const surface of CONVERSATIONS) {
      for (const stream of [false, true]) {
        rig.upstream.script = PROVIDER_FORMATS[0]!.says(SAID);
        const before = (await booked(rig.weir, rig.tenant)).length;
        armCrash({ point, ...THROW });
        const ended = await status(surface, surface.body('openai-chat/test-model', 'Hello', { stream }));
        expect([500, 502, 503, 200, 0]).toContain(ended);
        armCrash(null);
        await released();
        const calls = (await booked(rig.weir, rig.tenant)).slice(before);
        if (point !== 'after_auth') expect([surface.route, stream, calls.length]).toEqual([surface.route, stream, 1]);
        if (SENT.includes(point) && !(point === 'mid_stream' && !stream))
          expect(calls[0]).toMatchObject({ kind: 'usage', amount: expect.any(BigInt) });
        expect(await status(CHAT, CHAT.body('mock/echo'))).toBe(200);
      }
    }
  });
});

describe('an exception that nothing catches', () => {
  /** By hand: ATTACK_FAULTS=all. */
  const PLACES: [CrashPoint, Crash['kind']][] = [
    ['mid_stream', 'uncaught'],
    ['settle_committed', 'reject'],
    ['after_auth', 'uncaught'],
    ['hold_sent', 'uncaught'],
    ['hold_committed', 'reject'],
    ['before_connect', 'uncaught'],
    ['connected', 'uncaught'],
    ['first_byte', 'reject'],
    ['upstream_end', 'uncaught'],
    ['settle_sent', 'uncaught'],
    ['after_done', 'throw'],
  ];
  let database: TestDatabase;
  let processes: ProcessRig;

  beforeAll(async () => {
    database = await createDatabase();
    processes = await ProcessRig.start({ url: database.url, db: openPool(database.url) });
  });

  afterAll(async () => {
    await processes.stop();
    await processes.db.end();
    await database.drop();
  });

  test.each(process.env['ATTACK_FAULTS'] === 'all' ? PLACES : PLACES.slice(0, 2))(
    'at %s (%s): one line, no new calls, those in flight are booked, and the process ends with 1',
    async (point, kind) => {
      const gateway = await processes.spawn(`gateway-${point}`, { WEIR_CRASH: `${point}:1:${kind}` });
      const child: WeirProcess = gateway.process;
      processes.upstream.script = PROVIDER_FORMATS[0]!.says(SAID);
      const headers = { authorization: `Bearer ${processes.tenant.apiKey}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ model: 'up/test-model', max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }], stream: true });
      const answer = fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body }).then(
        async (reply) => [reply.status, await reply.text().catch(() => 'broken off')],
        () => [0, ''],
      );
      const [code] = await Promise.all([child.exited(), answer]);
      if (!child.child.stderr!.readableEnded) await once(child.child.stderr!, 'close').catch(() => {});
      expect(code).toBe(1);
      const lines = child.stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.filter(({ level }) => level === 'fatal')).toEqual([
        expect.objectContaining({
          msg: expect.stringContaining('uncaught exception'),
          err: expect.objectContaining({ message: `injected at ${point}` }),
        }),
      ]);
      await processes.settled(1_000);
      await expect(fetch(`${gateway.url}/v1/key`)).rejects.toThrow();
    },
  );
});
