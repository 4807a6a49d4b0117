import { quantity } from '../support/ledger.js';
import { gif, jpeg, pdf, png } from '../support/media.js';
import { modelOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CALLS, CONVERSATIONS, type SurfaceRow, send } from './support/surfaces.js';

/** Formats that take pictures, each with a model whose family's rule is public. */
const MODELS: Readonly<Partial<Record<ProviderFormat['dialect'], string>>> = {
  'openai-chat': 'gpt-4o-mini',
  'openai-responses': 'gpt-5.5',
  'anthropic-messages': 'claude-opus-5-5',
  gemini: 'gemini-2.5-flash',
};
const FORMATS = PROVIDER_FORMATS.filter(({ dialect }) => MODELS[dialect]);

/** What the vendors' pages say an image of 3000x3000 costs, and the most that any image and page does. */
const SQUARE: Record<string, number> = { 'gpt-4o-mini': 25_501, 'gpt-5.5': 10_604, 'claude-opus-5-5': 4_784, 'gemini-2.5-flash': 4_128 };
const MAX_IMAGE: Record<string, number> = {
  'gpt-4o-mini': 48_169,
  'gpt-5.5': 12_000,
  'claude-opus-5-5': 4_784,
  'gemini-2.5-flash': 4_128,
};
const PAGE: Record<string, number> = { 'gpt-4o-mini': 3_000, 'gpt-5.5': 3_000, 'claude-opus-5-5': 4_500, 'gemini-2.5-flash': 258 };

type Medium = { kind: 'image' | 'pdf'; data: string; type: string } | { kind: 'image' | 'pdf'; url: string };

const inline = (kind: 'image' | 'pdf', bytes: Buffer, type: string): Medium => ({ kind, data: bytes.toString('base64'), type });
const urlOf = (medium: Medium) => ('url' in medium ? medium.url : `data:${medium.type};base64,${medium.data}`);

/** How each surface says it. */
function partOf(surface: SurfaceRow, medium: Medium): object {
  if (surface.path === '/v1/messages') {
    const source = 'url' in medium ? { type: 'url', url: medium.url } : { type: 'base64', media_type: medium.type, data: medium.data };
    return { type: medium.kind === 'pdf' ? 'document' : 'image', source };
  }
  if (surface.path === '/v1/responses') {
    if (medium.kind === 'image') return { type: 'input_image', image_url: urlOf(medium) };
    return { type: 'input_file', filename: 'a.pdf', ...('url' in medium ? { file_url: medium.url } : { file_data: urlOf(medium) }) };
  }
  if (medium.kind === 'image') return { type: 'image_url', image_url: { url: urlOf(medium) } };
  return { type: 'file', file: { filename: 'a.pdf', file_data: urlOf(medium) } };
}

/** Where a medium may stand. */
function placesOf(surface: SurfaceRow, part: object): Record<string, unknown[]> {
  if (surface.path === '/v1/responses') {
    const call = { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' };
    return {
      user: [{ role: 'user', content: [part] }],
      history: [
        { role: 'user', content: [part] },
        { role: 'assistant', content: 'Yes.' },
        { role: 'user', content: 'And?' },
      ],
      tool: [{ role: 'user', content: 'x' }, call, { type: 'function_call_output', call_id: 'c', output: [part] }],
    };
  }
  const user = [{ role: 'user', content: [part] }];
  const history = [...user, { role: 'assistant', content: 'Yes.' }, { role: 'user', content: 'And?' }];
  if (surface.path === '/v1/messages') {
    const use = { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} };
    const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [part] };
    return {
      user,
      history,
      tool: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: [use] },
        { role: 'user', content: [result] },
      ],
    };
  }
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
  const asked = { role: 'assistant', content: null, tool_calls: [call] };
  return { user, history, tool: [{ role: 'user', content: 'x' }, asked, { role: 'tool', tool_call_id: 'call_1', content: [part] }] };
}

const SPEAKING = CONVERSATIONS.filter(({ path }) => path !== '/v1/completions');

let rig: Rig;

beforeAll(async () => {
  rig = await startRig({}, FORMATS);
});

afterAll(() => rig.stop());

const say = (surface: SurfaceRow, format: ProviderFormat, place: unknown[], more: object = {}) => {
  const { messages: _messages, input: _input, ...body } = surface.body(modelOf({ ...format, model: MODELS[format.dialect]! }));
  return send(rig.to, surface, { ...body, [surface.path === '/v1/responses' ? 'input' : 'messages']: place, ...more });
};

/** Sends a medium from everywhere to everywhere while the providers bill it by their own rule, and answers where less was held than was billed. */
async function underheld(medium: Medium, bill: (model: string) => number): Promise<string[]> {
  const sent: string[] = [];
  const since = await rig.weir.db.query<{ now: Date }>('SELECT weir_now() AS now');
  for (const surface of SPEAKING)
    for (const format of FORMATS)
      for (const [place, messages] of Object.entries(placesOf(surface, partOf(surface, medium)))) {
        rig.upstream.script = format.says({ text: 'x', usage: { input: bill(MODELS[format.dialect]!), cacheRead: 0, output: 1 } });
        const reply = await say(surface, format, messages);
        const text = await reply.text();
        // What a format cannot say is refused, and costs nothing.
        if (reply.status === 200) sent.push(`${surface.path} ${format.dialect} ${place}`);
        else if (reply.status !== 400) sent.push(`${surface.path} ${format.dialect} ${place}: ${text}`);
      }
  const { rows } = await rig.weir.db.query<{ held: string; spent: string; surface: string; provider: string }>(
    `SELECT c.held, sum(e.amount) AS spent, c.surface, c.provider FROM calls c JOIN ledger_entries e ON e.call_id = c.id
     WHERE c.admitted_at >= $1 GROUP BY c.id, c.held, c.surface, c.provider HAVING sum(e.amount) > c.held`,
    [since.rows[0]!.now],
  );
  expect(sent.length).toBeGreaterThan(12);
  return [
    ...sent.filter((one) => one.includes(':')),
    ...rows.map(({ surface, provider, held, spent }) => `${surface} ${provider}: held ${held}, billed ${spent}`),
  ];
}

test('a picture of many pixels and few bytes is held by its pixels', async () => {
  const bytes = png(3000, 3000);
  expect(bytes.length).toBeLessThan(3_000);
  expect(await underheld(inline('image', bytes, 'image/png'), (model) => SQUARE[model]!)).toEqual([]);
  // Its screen is a pixel, and its picture is not.
  expect(await underheld(inline('image', gif(3000, 3000), 'image/gif'), (model) => SQUARE[model]!)).toEqual([]);
});

test.each([
  ['an unknown format', inline('image', Buffer.from('BM no such format'), 'image/bmp')],
  ['a header that lies', inline('image', Buffer.concat([png(1, 1), Buffer.alloc(150_000, 1)]), 'image/png')],
  ['an address', { kind: 'image', url: 'https://example.com/a.png' } as Medium],
])('%s is held as the most that the family counts', async (_, medium) => {
  expect(await underheld(medium, (model) => MAX_IMAGE[model]!)).toEqual([]);
});

test.each([false, true])('a document is held by its pages, packed: %s', async (packed) => {
  expect(await underheld(inline('pdf', pdf(40, packed), 'application/pdf'), (model) => 40 * PAGE[model]!)).toEqual([]);
});

test.each(['claude-opus-5-5', 'claude-sonnet-4-6'])(
  'a document at an address is held as the longest that %s reads, or refused with what it could cost',
  async (model) => {
    const surface = SPEAKING.find(({ path }) => path === '/v1/messages')!;
    const format = FORMATS.find(({ dialect }) => dialect === 'anthropic-messages')!;
    const part = partOf(surface, { kind: 'pdf', url: 'https://example.com/a.pdf' });
    const calls = rig.upstream.calls.length;
    rig.upstream.script = format.says({ text: 'x', usage: { input: 900_000, cacheRead: 0, output: 1 } });
    const body = { ...surface.body(`anthropic-messages/${model}`), messages: [{ role: 'user', content: [part] }] };
    const reply = await send(rig.to, surface, body);
    expect(reply.status).toBe(200);
    const small = await send(rig.to, surface, body, { 'x-weir-max-cost': '0.50' });
    expect([small.status, await small.text()]).toEqual([402, expect.stringMatching(/could cost up to \$1\.0/)]);
    expect(rig.upstream.calls.length).toBe(calls + 1);
  },
);

test('a photo of 300 KB passes a budget of a dollar and leaves a limit of 60,000 tokens usable', async () => {
  const photo = inline('image', jpeg(4032, 3024, 300_000), 'image/jpeg');
  const { id } = await rig.tenant.admin<{ id: string }>('POST', '/v1/organization/budgets', {
    scope: { kind: 'tenant', value: rig.tenant.id },
    limit: '1',
    period: 'lifetime',
  });
  const limit = await rig.tenant.admin<{ id: string }>('POST', '/v1/organization/rate_limits', {
    scope: { kind: 'tenant', value: rig.tenant.id },
    max_tokens_per_1_minute: 60_000,
  });
  await rig.tenant.admin('POST', '/v1/organization/prices', { provider: 'openai-responses', model: 'gpt-5.5', input: '5', output: '30' });
  const refused: string[] = [];
  for (const surface of SPEAKING)
    for (const format of FORMATS.filter(({ dialect }) => dialect === 'openai-responses')) {
      rig.upstream.script = format.says({ text: 'x', usage: { input: 900, cacheRead: 0, output: 1 } });
      const reply = await say(surface, format, [{ role: 'user', content: [partOf(surface, photo)] }]);
      if (reply.status !== 200) refused.push(`${surface.path}: ${await reply.text()}`);
    }
  expect(refused).toEqual([]);
  await rig.tenant.admin('DELETE', `/v1/organization/budgets/${id}`);
  await rig.tenant.admin('DELETE', `/v1/organization/rate_limits/${limit.id}`);
});

test('where usage never comes, a picture is booked as what it stands for', async () => {
  const surface = SPEAKING.find(({ path }) => path === '/v1/chat/completions')!;
  const format = FORMATS.find(({ dialect }) => dialect === 'openai-chat')!;
  rig.upstream.script = (_call, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}');
  };
  const reply = await say(surface, format, [
    { role: 'user', content: [partOf(surface, inline('image', jpeg(1024, 1024, 400_000), 'image/jpeg'))] },
  ]);
  expect(reply.status).toBe(200);
  const { rows } = await rig.weir.db.query(
    `SELECT (${quantity('l', 'input')})::int AS input FROM ledger_entries l ORDER BY booked_at DESC LIMIT 1`,
  );
  expect(rows[0].input).toBeGreaterThanOrEqual(25_501);
  expect(rows[0].input).toBeLessThan(27_000);
});

test('pictures among what is to be embedded are held', async () => {
  const surface = CALLS.find(({ path }) => path === '/v1/embeddings')!;
  const format = FORMATS.find(({ dialect }) => dialect === 'openai-chat')!;
  rig.upstream.script = (_call, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ data: [{ index: 0, embedding: [0.1] }], usage: { prompt_tokens: 4_000, total_tokens: 4_000 } }));
  };
  const picture = urlOf(inline('image', png(3000, 3000), 'image/png'));
  for (const more of [{ images: [picture] }, { input: [picture] }]) {
    const reply = await send(rig.to, surface, surface.body(`${format.dialect}/clip`, 'Hello', more));
    expect([reply.status, await reply.text()]).toEqual([200, expect.any(String)]);
  }
  const { rows } = await rig.weir.db.query(
    `SELECT 1 FROM ledger_entries e JOIN calls c ON c.id = e.call_id WHERE e.kind = 'overrun' AND c.surface = 'embeddings'`,
  );
  expect(rows).toEqual([]);
});
