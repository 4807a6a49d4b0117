import { gzipSync } from 'node:zlib';
import { REPLY_FORMATS } from '../support/tool-replies.js';
import { answer, chunk, delta, json, type Script } from '../support/upstream.js';
import { booked, eventually } from '../support/weir.js';
import { caseRig, type Outcome, readCase } from './support/case-rig.js';

const rig = caseRig();

type Json = ReturnType<typeof JSON.parse>;

const HELLO = { messages: [{ role: 'user', content: 'Hi' }] };
const MESSAGES = { ...HELLO, max_tokens: 99 };
const sent = ({ sent: call }: Outcome): Json => call!.body;
const { messages: claude, gemini } = REPLY_FORMATS;
const SAID = { text: 'ok', usage: { input: 9, cacheRead: 0, output: 1 } };
const OPENAI_CHAT = 'openai (dialect: openai-chat)';
const OPENAI_RESPONSES = 'openai (dialect: openai-responses)';

describe('the output limit has the name that the model takes', () => {
  test.each(['max-tokens-gpt5-own-address-chat', 'max-tokens-gpt5-own-address-msg'])('%s', async (id) => {
    const body = sent(await rig.run(readCase(id)));
    expect([typeof body.max_completion_tokens, 'max_tokens' in body]).toEqual(['number', false]);
  });

  test.each(['custom-max-completion-tokens', 'mistral-max-completion-tokens'])('%s', async (id) => {
    const body = sent(await rig.run(readCase(id)));
    expect([typeof body.max_tokens, 'max_completion_tokens' in body]).toEqual(['number', false]);
  });

  const limits = {
    none: {},
    old: { max_tokens: 50 },
    new: { max_completion_tokens: 50 },
    both: { max_tokens: 50, max_completion_tokens: 50 },
  };
  test.each(
    [
      ['custom', 'gpt-5-mini', 'max_completion_tokens'],
      ['custom', 'o3', 'max_completion_tokens'],
      ['custom', 'openai/gpt-6-sol', 'max_completion_tokens'],
      ['custom', 'llama', 'max_tokens'],
      ['mistral', 'mistral-large-latest', 'max_tokens'],
      ['groq', 'openai/gpt-oss-120b', 'max_tokens'],
    ].flatMap(([type, model, name]) => Object.entries(limits).map(([given, fields]) => [type!, model!, name!, given, fields] as const)),
  )('%s %s takes %s, whatever the client says (%s)', async (type, model, name, given, fields) => {
    const body = sent(await rig.send('/v1/chat/completions', type, model, { ...HELLO, ...fields }, answer()));
    const names = ['max_tokens', 'max_completion_tokens'].filter((one) => one in body);
    expect(names).toEqual([name]);
    if (given !== 'none') expect(body[names[0]!]).toBe(50);
  });
});

describe('fields that a strict server refuses', () => {
  test('mistral-reasoning-back', async () => {
    expect(JSON.stringify(sent(await rig.run(readCase('mistral-reasoning-back'))))).not.toContain('reasoning_content');
  });

  test.each(['store', 'logprobs', 'service_tier', 'prompt_cache_key', 'verbosity', 'safety_identifier'])(
    '%s is left out for Mistral, and told',
    async (field) => {
      const value = { store: false, logprobs: true, service_tier: 'auto' }[field] ?? 'low';
      const seen = await rig.send('/v1/chat/completions', 'mistral', 'mistral-large-latest', { ...HELLO, [field]: value }, answer());
      expect([seen.status, field in sent(seen), seen.warnings.includes(`"${field}"`)]).toEqual([200, false, true]);
    },
  );
});

describe('strict schemas', () => {
  test('strict-output-format-custom', async () => {
    expect(sent(await rig.run(readCase('strict-output-format-custom'))).response_format.json_schema.strict).toBe(false);
  });
  test('strict-output-format-openai-responses', async () => {
    expect(sent(await rig.run(readCase('strict-output-format-openai-responses'))).text.format.strict).toBe(false);
  });
  test('strict-tool-openai-chat', async () => {
    expect(sent(await rig.run(readCase('strict-tool-openai-chat'))).tools[0].function.strict).toBe(false);
  });

  const a = { type: 'string' };
  const object = (fields: object) => ({ type: 'object', properties: { a }, required: ['a'], additionalProperties: false, ...fields });
  const SCHEMAS: Record<string, [fits: boolean, schema: object]> = {
    'every property required': [true, object({})],
    'a property that is not required': [false, object({ required: [] })],
    'no word of what is required': [false, object({ required: undefined })],
    'free properties': [false, object({ additionalProperties: undefined })],
    'free properties within': [false, object({ properties: { a: { type: 'object', properties: {} } } })],
    'an optional property in a list': [false, object({ properties: { a: { type: 'array', items: object({ required: [] }) } } })],
    'an optional property in an alternative': [false, object({ properties: { a: { anyOf: [a, object({ required: [] })] } } })],
    'an optional property in a definition': [false, object({ $defs: { x: object({ required: [] }) } })],
    'a property that may be null': [true, object({ properties: { a: { type: ['string', 'null'] } } })],
  };

  test.each(
    [OPENAI_CHAT, OPENAI_RESPONSES, 'custom'].flatMap((type) =>
      Object.entries(SCHEMAS).map(([name, [fits, schema]]) => [type, name, fits, schema] as const),
    ),
  )('to %s, a tool with %s is strict: %s', async (type, _name, fits, input_schema) => {
    const seen = await rig.send(
      '/v1/messages',
      type,
      'gpt-4.1',
      { ...MESSAGES, tools: [{ name: 'f', strict: true, input_schema }] },
      answer(),
    );
    const [tool] = sent(seen).tools;
    expect((tool.function ?? tool).strict).toBe(fits);
    expect(seen.warnings.includes('"f" was not sent as strict')).toBe(!fits);
  });
});

describe('ids of calls', () => {
  test('repeated-ids-history-to-anthropic', async () => {
    const heard = claude.hears(sent(await rig.run(readCase('repeated-ids-history-to-anthropic'))));
    const ids = heard.calls.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    expect(heard.results).toEqual([
      { id: ids[0], text: 'r1' },
      { id: ids[1], text: 'r2' },
    ]);
  });

  test('repeated-ids-reply-to-messages', async () => {
    const wire = readCase('repeated-ids-reply-to-messages');
    const { events } = await rig.run(wire);
    const ids = events.flatMap(({ content_block: block }) => (block?.type === 'tool_use' ? block.id : []));
    const before = [...JSON.stringify(wire.request).matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id);
    expect(ids).toHaveLength(1);
    expect(before).not.toContain(ids[0]);
  });

  test('same-id-twice-in-one-reply-to-messages', async () => {
    const { body } = await rig.run(readCase('same-id-twice-in-one-reply-to-messages'));
    const ids = body.content.flatMap((block: Json) => (block.type === 'tool_use' ? block.id : []));
    expect([ids.length, new Set(ids).size]).toEqual([2, 2]);
  });

  /** Rounds of calls with these ids, each answered in order. */
  const rounds = (...ids: string[][]) =>
    ids.flatMap((round, at) => [
      {
        role: 'assistant',
        content: null,
        tool_calls: round.map((id) => ({ id, type: 'function', function: { name: 'w', arguments: '{}' } })),
      },
      ...round.map((id, index) => ({ role: 'tool', tool_call_id: id, content: `${at}.${index}` })),
    ]);
  test.each([
    [['x'], ['x'], ['x']],
    [['x', 'x'], ['x']],
    [
      ['x', 'y'],
      ['y', 'x'],
    ],
    [['x'], ['x_2'], ['x']],
    [['x'], ['x'], ['x_2']],
  ])('rounds of %j, %j, %j: every call has its own result', async (...ids) => {
    const body = {
      messages: [...HELLO.messages, ...rounds(...ids.filter(Boolean))],
      tools: [{ type: 'function', function: { name: 'w' } }],
    };
    const seen = await rig.send('/v1/chat/completions', 'anthropic', 'claude-opus-4-6', body, claude.says(SAID));
    const { calls, results } = claude.hears(sent(seen));
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
    expect(results.map(({ id }) => id)).toEqual(calls.map(({ id }) => id));
    expect(results.map(({ text }) => text)).toEqual(ids.filter(Boolean).flatMap((round, at) => round.map((_, index) => `${at}.${index}`)));
  });
});

describe('references in schemas for Gemini', () => {
  const siblings = (node: Json): string[] => {
    if (Array.isArray(node)) return node.flatMap(siblings);
    if (typeof node !== 'object' || node === null) return [];
    const own = typeof node.$ref === 'string' ? Object.keys(node).filter((key) => !key.startsWith('$')) : [];
    return [...own, ...Object.values(node).flatMap(siblings)];
  };

  test.each(['gemini-ref-siblings-format', 'gemini-ref-siblings-tool'])('%s', async (id) => {
    const body = sent(await rig.run(readCase(id)));
    expect(JSON.stringify(body)).toContain('$ref');
    expect(siblings(body)).toEqual([]);
  });

  test.each([
    ['a description', { description: 'the unit' }],
    ['a default and a title', { default: 'c', title: 'Unit' }],
    ['alternatives', { anyOf: [{ type: 'string' }] }],
    ['a comment', { $comment: 'kept' }],
  ])('%s beside a reference, at any depth', async (_name, beside) => {
    const ref = { $ref: '#/$defs/unit', ...beside };
    const schema = {
      type: 'object',
      $defs: { unit: { type: 'string' } },
      properties: { a: ref, b: { type: 'array', items: ref }, c: { anyOf: [ref, { type: 'null' }] } },
    };
    const body = { ...HELLO, tools: [{ type: 'function', function: { name: 'f', parameters: schema } }] };
    const seen = sent(await rig.send('/v1/chat/completions', 'gemini', 'gemini-3-pro', body, gemini.says(SAID)));
    expect(siblings(seen)).toEqual([]);
    for (const text of ['the unit', 'Unit', 'kept'])
      expect(JSON.stringify(seen).includes(text)).toBe(JSON.stringify(beside).includes(text));
  });
});

describe('ends that Gemini has', () => {
  test.each(['gemini-finish-image_other', 'gemini-finish-image_recitation'])('%s', async (id) => {
    const { status, body } = await rig.run(readCase(id));
    expect(status !== 200 || body.choices[0].finish_reason === 'content_filter').toBe(true);
  });
});

describe('prompt caching asked for in chat', () => {
  test('chat-top-level-cache-control-anthropic', async () => {
    const seen = await rig.run(readCase('chat-top-level-cache-control-anthropic'));
    expect(sent(seen).messages.at(-1).content.at(-1).cache_control).toEqual({ type: 'ephemeral' });
    expect(seen.warnings).toBe('');
  });
  test('chat-top-level-cache-control-bedrock', async () => {
    const seen = await rig.run(readCase('chat-top-level-cache-control-bedrock'));
    expect(sent(seen).messages.at(-1).content.at(-1)).toHaveProperty('cachePoint');
    expect(seen.warnings).toBe('');
  });
});

describe('betas of Claude on Bedrock', () => {
  test('bedrock-betas-dropped-silently', async () => {
    const seen = await rig.run(readCase('bedrock-betas-dropped-silently'));
    expect(sent(seen).additionalModelRequestFields.anthropic_beta).toEqual(['interleaved-thinking-2025-05-14', 'context-1m-2025-08-07']);
  });
  test('those that Bedrock does not know are named', async () => {
    const wire = readCase('bedrock-betas-dropped-silently');
    const seen = await rig.run({ ...wire, request_headers: { 'anthropic-beta': 'oauth-2025-04-20, interleaved-thinking-2025-05-14' } });
    expect(sent(seen).additionalModelRequestFields.anthropic_beta).toEqual(['interleaved-thinking-2025-05-14']);
    expect(seen.warnings).toContain('oauth-2025-04-20');
  });
});

describe('a reply that is compressed although it was not asked for so', () => {
  const whole = JSON.stringify({
    id: 'c1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
  });
  const events = `${delta({ role: 'assistant', content: 'a' })}${delta({ content: 'b' }, 'stop')}${chunk({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 } })}data: [DONE]\n\n`;
  const zipped =
    (bytes: Buffer, type: string, encoding = 'gzip', status = 200): Script =>
    (_call, response) => {
      response.writeHead(status, { 'content-type': type, 'content-encoding': encoding });
      response.end(bytes);
    };
  const ask = (script: Script, stream = false) => rig.send('/v1/chat/completions', 'custom', 'm1', { ...HELLO, stream }, script);
  /** Of the call after `before` others, once it is booked. */
  const callAfter = async (before: number) => {
    await eventually(async () => (await booked(rig.weir, rig.tenant)).length > before);
    return (await booked(rig.weir, rig.tenant))[before];
  };

  test('gzip-reply: it is decoded and booked', async () => {
    const { id, ...wire } = readCase('gzip-reply');
    const before = (await booked(rig.weir, rig.tenant)).length;
    const seen = await rig.send(wire.surface, wire.provider_type, wire.model, wire.request!, zipped(gzipSync(whole), 'application/json'));
    expect([id, seen.status, seen.text]).toEqual(['gzip-reply', 200, whole]);
    expect(await callAfter(before)).toMatchObject({ status: 'completed', output: 7, estimated: false });
  });

  test('a stream, a refusal, and gzip by its older name', async () => {
    expect((await ask(zipped(gzipSync(events), 'text/event-stream'), true)).text).toContain('"b"');
    const refusal = await ask(zipped(gzipSync('{"error":{"code":"context_length_exceeded"}}'), 'application/json', 'gzip', 400));
    expect([refusal.status, refusal.body.error.code]).toEqual([400, 'context_length_exceeded']);
    expect((await ask(zipped(gzipSync(whole), 'application/json', 'x-gzip'))).text).toBe(whole);
  });

  test.each([
    ['cut', gzipSync(whole).subarray(0, 60), 'gzip'],
    ['no gzip at all', Buffer.from(whole), 'gzip'],
    ['a bomb', gzipSync(Buffer.alloc(2_000_000, 0x20)), 'gzip'],
    ['compressed twice', gzipSync(gzipSync(whole)), 'gzip, gzip'],
    ['of another encoding', Buffer.from(whole), 'br'],
  ])('one that is %s is refused with 502, and booked', async (_name, bytes, encoding) => {
    const before = (await booked(rig.weir, rig.tenant)).length;
    const seen = await ask(zipped(bytes, 'application/json', encoding));
    expect([seen.status, seen.body.error.code]).toEqual([502, 'upstream_invalid_response']);
    expect(await callAfter(before)).toMatchObject({ status: 'cut', estimated: true });
  });
});

test('the model of a case is asked for, and a plain reply is given on', async () => {
  const seen = await rig.send(
    '/v1/chat/completions',
    'custom',
    'm1',
    HELLO,
    json(200, { id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [], usage: null }),
  );
  expect([seen.status, sent(seen).model]).toEqual([200, 'm1']);
});
