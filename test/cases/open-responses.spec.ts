import { z } from 'zod';
import { REPLY_FORMATS, type ReplyFormat } from '../support/tool-replies.js';
import type { Script } from '../support/upstream.js';
import { caseRig, type Outcome } from './support/case-rig.js';

/** What the Open Responses specification asks of a server, in our own words: a whole resource, and streams in which one item ends before the next begins. */
const rig = caseRig();

type Json = ReturnType<typeof JSON.parse>;

const USAGE = { input: 9, cacheRead: 0, output: 12 };
const typeOf = ({ type, dialect }: ReplyFormat): string => (type === 'openai' ? `openai (dialect: ${dialect})` : type);

const nullable = z.string().nullable();
const count = z.number().int().min(0);
const TEXT = z.object({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()),
  logprobs: z.array(z.unknown()),
});
const REFUSAL = z.object({ type: z.literal('refusal'), refusal: z.string() });
const SUMMARY_TEXT = z.object({ type: z.literal('summary_text'), text: z.string() });
const STATUS = z.enum(['in_progress', 'completed', 'incomplete']);
const ITEM = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    id: z.string().min(1),
    status: STATUS,
    role: z.literal('assistant'),
    content: z.array(z.union([TEXT, REFUSAL])),
  }),
  z.object({
    type: z.literal('function_call'),
    id: z.string().min(1),
    call_id: z.string().min(1),
    name: z.string(),
    arguments: z.string(),
    status: STATUS,
  }),
  z.object({
    type: z.literal('reasoning'),
    id: z.string().min(1),
    summary: z.array(SUMMARY_TEXT),
    encrypted_content: z.string().optional(),
  }),
]);
const TOOL = z.object({
  type: z.literal('function'),
  name: z.string(),
  description: nullable,
  parameters: z.record(z.string(), z.unknown()).nullable(),
  strict: z.boolean().nullable(),
});
const RESOURCE = z.object({
  id: z.string().startsWith('resp_'),
  object: z.literal('response'),
  created_at: count,
  completed_at: count.nullable(),
  status: z.enum(['in_progress', 'completed', 'incomplete', 'failed']),
  incomplete_details: z.object({ reason: z.enum(['max_output_tokens', 'content_filter']) }).nullable(),
  model: z.string(),
  previous_response_id: nullable,
  instructions: nullable,
  output: z.array(ITEM),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  tools: z.array(TOOL),
  tool_choice: z.union([z.string(), z.object({ type: z.string() })]),
  truncation: z.enum(['auto', 'disabled']),
  parallel_tool_calls: z.boolean(),
  text: z.object({ format: z.object({ type: z.string() }) }),
  temperature: z.number(),
  top_p: z.number(),
  presence_penalty: z.number(),
  frequency_penalty: z.number(),
  top_logprobs: count,
  reasoning: z.object({ effort: nullable, summary: nullable }).nullable(),
  usage: z
    .object({
      input_tokens: count,
      output_tokens: count,
      total_tokens: count,
      input_tokens_details: z.object({ cached_tokens: count }),
      output_tokens_details: z.object({ reasoning_tokens: count }),
    })
    .nullable(),
  max_output_tokens: count.nullable(),
  max_tool_calls: count.nullable(),
  store: z.boolean(),
  background: z.boolean(),
  service_tier: z.string(),
  metadata: z.record(z.string(), z.string()),
  safety_identifier: nullable,
  prompt_cache_key: nullable,
});

const ADDRESS = { item_id: z.string().min(1), output_index: count };
const CONTENT = { ...ADDRESS, content_index: count };
const SUMMARY = { ...ADDRESS, summary_index: count };
const STATE = z.object({ sequence_number: count, response: RESOURCE });
const eventOf = (fields: z.ZodRawShape) => z.object({ sequence_number: count, ...fields });
/** What each event of a stream has to say. */
const EVENTS: Readonly<Record<string, z.ZodType>> = {
  'response.created': STATE,
  'response.in_progress': STATE,
  'response.completed': STATE,
  'response.output_item.added': eventOf({ output_index: count, item: ITEM }),
  'response.output_item.done': eventOf({ output_index: count, item: ITEM }),
  'response.content_part.added': eventOf({ ...CONTENT, part: z.union([TEXT, REFUSAL]) }),
  'response.content_part.done': eventOf({ ...CONTENT, part: z.union([TEXT, REFUSAL]) }),
  'response.output_text.delta': eventOf({ ...CONTENT, delta: z.string(), logprobs: z.array(z.unknown()) }),
  'response.output_text.done': eventOf({ ...CONTENT, text: z.string(), logprobs: z.array(z.unknown()) }),
  'response.function_call_arguments.delta': eventOf({ ...ADDRESS, delta: z.string() }),
  'response.function_call_arguments.done': eventOf({ ...ADDRESS, arguments: z.string() }),
  'response.reasoning_summary_part.added': eventOf({ ...SUMMARY, part: SUMMARY_TEXT }),
  'response.reasoning_summary_part.done': eventOf({ ...SUMMARY, part: SUMMARY_TEXT }),
  'response.reasoning_summary_text.delta': eventOf({ ...SUMMARY, delta: z.string() }),
  'response.reasoning_summary_text.done': eventOf({ ...SUMMARY, text: z.string() }),
};

const user = (content: unknown) => ({ type: 'message', role: 'user', content });
const PICTURE = `data:image/png;base64,${Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex').toString('base64')}`;
const DOCUMENT = `data:application/pdf;base64,${Buffer.from('%PDF-1.1\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF').toString('base64')}`;
const WEATHER = {
  type: 'function',
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

/** What is asked, what the model says, and which items are to come of it. */
const ASKED = {
  'a plain message': { body: { input: [user('Say hello in three words.')] }, said: { text: 'Hello to you' }, items: ['message'] },
  'a system prompt': {
    body: { input: [{ type: 'message', role: 'system', content: 'You are a pirate.' }, user('Say hello.')] },
    said: { text: 'Ahoy' },
    items: ['message'],
  },
  'a function': {
    body: { input: [user('What is the weather in Paris?')], tools: [WEATHER] },
    said: { calls: [{ id: 'c1', name: 'weather', arguments: { city: 'Paris' } }] },
    items: ['function_call'],
  },
  'a function of nothing but a name': {
    body: { input: [user('Now?')], tools: [{ type: 'function', name: 'now' }] },
    said: { calls: [{ id: 'c1', name: 'now', arguments: {} }] },
    items: ['function_call'],
  },
  'three functions at once': {
    body: { input: [user('Three cities?')], tools: [WEATHER] },
    said: {
      text: 'Let me see.',
      calls: ['Paris', 'Rome', 'Oslo'].map((city, at) => ({ id: `c${at}`, name: 'weather', arguments: { city } })),
    },
    items: ['message', 'function_call', 'function_call', 'function_call'],
  },
  'functions without arguments at once': {
    body: { input: [user('Now?')], tools: [{ type: 'function', name: 'now' }] },
    said: { calls: [0, 1].map((at) => ({ id: `c${at}`, name: 'now', arguments: {} })) },
    items: ['function_call', 'function_call'],
  },
  'an image': {
    body: {
      input: [
        user([
          { type: 'input_text', text: 'What is this?' },
          { type: 'input_image', image_url: PICTURE },
        ]),
      ],
    },
    said: { text: 'A dot' },
    items: ['message'],
  },
  'a document': {
    body: {
      input: [
        user([
          { type: 'input_text', text: 'Its title?' },
          { type: 'input_file', filename: 'a.pdf', file_data: DOCUMENT },
        ]),
      ],
    },
    said: { text: 'A page' },
    items: ['message'],
  },
  'a text instead of items': { body: { input: 'Say hello.' }, said: { text: 'Hello' }, items: ['message'] },
  'a forced function': {
    body: { input: 'What is the weather in Paris?', tools: [WEATHER], tool_choice: { type: 'function', name: 'weather' } },
    said: { calls: [{ id: 'c1', name: 'weather', arguments: { city: 'Paris' } }] },
    items: ['function_call'],
  },
  'what a function gave': {
    body: {
      input: [
        user('What is the weather in Paris?'),
        { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{"city":"Paris"}' },
        { type: 'function_call_output', call_id: 'c1', output: '18 degrees and clear' },
      ],
      tools: [WEATHER],
    },
    said: { text: 'Clear' },
    items: ['message'],
  },
  'thoughts before a call': {
    body: { input: [user('What is the weather in Paris?')], tools: [WEATHER], reasoning: { effort: 'low', summary: 'auto' } },
    said: {
      reasoning: { text: 'Paris it is.', state: 'c3RhdGU=' },
      calls: [{ id: 'c1', name: 'weather', arguments: { city: 'Paris' } }],
    },
    items: ['reasoning', 'function_call'],
  },
  'a conversation of several turns': {
    body: { input: [user('My name is Ada.'), { type: 'message', role: 'assistant', content: 'Hello Ada.' }, user('What is my name?')] },
    said: { text: 'Ada' },
    items: ['message'],
  },
} as const;

/** Each item begins, grows and ends in turn, and says at its end what is in the response. */
function checkLife(events: Json[]): void {
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, at) => at));
  expect(events.slice(0, 2).map(({ type }) => type)).toEqual(['response.created', 'response.in_progress']);
  let open: number | null = null;
  const done: Json[] = [];
  for (const { type, output_index: index, item } of events) {
    if (index === undefined) continue;
    if (type === 'response.output_item.added') {
      expect(open).toBeNull();
      open = index;
    } else expect(index).toBe(open);
    if (type !== 'response.output_item.done') continue;
    done.push(item);
    open = null;
  }
  expect(open).toBeNull();
  expect(events.at(-1).response.output).toEqual(done);
}

const CELLS = Object.values(REPLY_FORMATS).flatMap((format) =>
  Object.entries(ASKED)
    // Chat has no field for thoughts.
    .filter(([, { said }]) => format.dialect !== 'openai-chat' || !('reasoning' in said))
    .flatMap(([what, asked]) => [false, true].map((stream) => ({ what, asked, format, dialect: format.dialect, stream }))),
);

test.each(CELLS)('$what over $dialect, streamed: $stream', async ({ asked: { body, said, items }, format, stream }) => {
  const script: Script = format.says({ ...(said as object), usage: USAGE });
  const seen: Outcome = await rig.send('/v1/responses', typeOf(format), format.model, { ...body, stream }, script);
  expect(seen.status).toBe(200);
  if (stream) checkLife(seen.events);
  const response = stream ? seen.events.at(-1).response : seen.body;
  expect(RESOURCE.safeParse(response).error?.issues).toBeUndefined();
  // State that stands on a call is an item of its own.
  const kinds = response.output
    .map(({ type }: Json) => type)
    .filter((type: string, at: number, all: string[]) => type !== 'reasoning' || all[at + 1] !== type);
  expect([response.status, kinds]).toEqual(['completed', items]);
  const faults = seen.events.flatMap((event) => EVENTS[event.type]?.safeParse(event).error?.issues ?? []);
  expect([faults, seen.events.filter(({ type }) => !EVENTS[type])]).toEqual([[], []]);
});
