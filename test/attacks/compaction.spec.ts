import { PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, send } from './support/surfaces.js';

/** A provider that summarizes a conversation before it answers reads it twice, and bills what it writes both times. */

const MAX_OUTPUT = 1_000;
const LONG = 'word '.repeat(20_000);

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

test.each([
  [
    '/v1/messages',
    'anthropic-messages',
    { context_management: { edits: [{ type: 'compact_20260112', trigger: { type: 'input_tokens', value: 50_000 } }] } },
    2,
  ],
  ['/v1/messages', 'anthropic-messages', { context_management: { edits: [{ type: 'compact_20260112' }] } }, 1],
  ['/v1/messages', 'anthropic-messages', { context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] } }, 1],
  ['/v1/messages', 'anthropic-messages', { compaction: { type: 'auto' } }, 2],
  ['/v1/responses', 'openai-responses', { context_management: [{ type: 'compaction', compact_threshold: 50_000 }] }, 2],
  ['/v1/responses', 'openai-responses', { context_management: [{ type: 'compaction', compact_threshold: 500_000 }] }, 1],
])('a call of %s to %s with %j is held for %i times its conversation', async (path, dialect, asked, times) => {
  const surface = CONVERSATIONS.find((one) => one.path === path)!;
  const format = PROVIDER_FORMATS.find((one) => one.dialect === dialect)!;
  const limit = path === '/v1/responses' ? { max_output_tokens: MAX_OUTPUT } : { max_tokens: MAX_OUTPUT };
  const body = { ...surface.body(`${dialect}/some-model`, LONG), ...limit, ...asked };
  const input = Math.floor(0.9 * LONG.length);
  rig.upstream.script = format.says({ text: 'x', usage: { input: times * input, cacheRead: 0, output: times * MAX_OUTPUT } });
  const reply = await send(rig.to, surface, body);
  expect(reply.status).toBe(200);
  await reply.text();
  const { rows } = await rig.weir.db.query<{ held: bigint; spent: bigint }>(
    `SELECT c.held, sum(e.amount)::bigint AS spent FROM calls c JOIN ledger_entries e ON e.call_id = c.id
     GROUP BY c.id, c.held, c.admitted_at ORDER BY c.admitted_at DESC LIMIT 1`,
  );
  const [{ held, spent }] = rows as [{ held: bigint; spent: bigint }];
  expect(held).toBeGreaterThanOrEqual(spent);
  // Twice the bytes of one reading is less than four times its tokens.
  if (times === 1) expect(held).toBeLessThan(3n * spent);
});
