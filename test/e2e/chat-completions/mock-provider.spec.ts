import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  weir = await startTestWeir();
  tenant = await createTenant(weir);
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
});

afterAll(() => weir.stop());

const ask = (changes: object = {}) => ({
  model: 'mock/echo',
  messages: [{ role: 'user' as const, content: 'Hi there, gateway' }],
  ...changes,
});

test('a tenant that has no mock provider has no mock/', async () => {
  const other = await createTenant(weir);
  await expect(other.openai.chat.completions.create(ask())).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
});

test('the same request gets the same answer, whole and streamed', async () => {
  const whole = (await tenant.openai.chat.completions.create(ask())).choices[0]!.message.content;
  let streamed = '';
  for await (const part of await tenant.openai.chat.completions.create({ ...ask(), stream: true }))
    streamed += part.choices[0]?.delta.content ?? '';
  expect([whole, streamed]).toEqual(['You said: Hi there, gateway', 'You said: Hi there, gateway']);
});

test('it obeys the output limit and reports its usage', async () => {
  const reply = await tenant.openai.chat.completions.create(ask({ max_tokens: 2 }));
  expect(reply).toMatchObject({
    choices: [{ message: { content: 'You said:' }, finish_reason: 'length' }],
    usage: { completion_tokens: 2 },
  });
});

test('it calls an offered tool once, with arguments its schema accepts, and then answers', async () => {
  const tools = [
    {
      type: 'function' as const,
      function: {
        name: 'book',
        parameters: {
          type: 'object',
          properties: { seats: { type: 'integer', minimum: 2 }, city: { enum: ['Oslo'] } },
          required: ['seats', 'city'],
        },
      },
    },
  ];
  const first = await tenant.openai.chat.completions.create({ ...ask(), tools });
  const [call] = first.choices[0]!.message.tool_calls!;
  expect(call).toMatchObject({ function: { name: 'book', arguments: '{"seats":2,"city":"Oslo"}' } });
  const second = await tenant.openai.chat.completions.create({
    ...ask(),
    tools,
    messages: [...ask().messages, first.choices[0]!.message, { role: 'tool', tool_call_id: call!.id, content: 'booked' }],
  });
  expect(second.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'You said: Hi there, gateway' } });
});

test('it gives what a JSON schema asks for', async () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string' },
      tags: { type: 'array', items: { type: 'string' }, minItems: 2 },
      when: { type: 'string', format: 'date' },
    },
    required: ['name', 'tags', 'when'],
    additionalProperties: false,
  };
  const reply = await tenant.openai.chat.completions.create(
    ask({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } }),
  );
  expect(JSON.parse(reply.choices[0]!.message.content!)).toEqual({ name: 'mock', tags: ['mock', 'mock'], when: '2026-01-01' });
});

test.each([
  ['mock/error-500', 502, 'upstream_error'],
  ['mock/error-429', 429, 'upstream_rate_limited'],
])('%s fails as asked', async (model, status, code) => {
  await expect(tenant.openai.chat.completions.create(ask({ model }))).rejects.toMatchObject({ status, code });
});

test('mock/drop breaks off', async () => {
  const reply = await tenant.openai.chat.completions.create({ ...ask({ model: 'mock/drop' }), stream: true });
  const reading = (async () => {
    for await (const _part of reply as never as AsyncIterable<unknown>);
  })();
  await expect(reading).rejects.toThrow();
});
