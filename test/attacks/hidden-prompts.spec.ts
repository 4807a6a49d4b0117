import { PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, type SurfaceRow, send } from './support/surfaces.js';

/** What a model is billed for that no client sent: the dearest that its vendor tells, of a request that asks for it. */
interface Hidden {
  model: string;
  bills: number;
  /** As each surface asks for it; null: it cannot. */
  ask(surface: SurfaceRow): object | null;
}

const nothing = () => ({});
const FUNCTION = { name: 'f', description: '', parameters: { type: 'object', properties: {} } };
const oneTool = ({ path }: SurfaceRow) =>
  ({
    '/v1/chat/completions': { tools: [{ type: 'function', function: FUNCTION }] },
    '/v1/chat/complete': { tools: [{ type: 'function', function: FUNCTION }] },
    '/v1/responses': { tools: [{ type: 'function', ...FUNCTION }] },
    '/v1/messages': { tools: [{ name: 'f', input_schema: FUNCTION.parameters }] },
  })[path] ?? null;
const ownTools = ({ path }: SurfaceRow) =>
  path !== '/v1/messages'
    ? null
    : {
        tools: [
          { type: 'bash_20250124', name: 'bash' },
          { type: 'text_editor_20250728', name: 'str_replace_based_edit_tool' },
          { type: 'memory_20250818', name: 'memory' },
        ],
      };

const CASES: Hidden[] = [
  { model: 'anthropic/claude-opus-4.7', bills: 804, ask: oneTool },
  { model: 'claude-opus-5-5', bills: 804 + 245 + 700 + 700, ask: ownTools },
  { model: 'grok-4', bills: 680, ask: nothing },
  { model: 'mistral-small-2603', bills: 900, ask: nothing },
  { model: 'qwen3-32b', bills: 350, ask: oneTool },
];

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const usable = (format: ProviderFormat, surface: SurfaceRow) =>
  surface.path !== '/v1/completions' || format.dialect === 'openai-completions';

test.each(CASES)('$model is held for what its provider adds', async ({ model, bills, ask }) => {
  const since = await rig.weir.db.query<{ now: Date }>('SELECT weir_now() AS now');
  let sent = 0;
  for (const surface of CONVERSATIONS)
    for (const format of PROVIDER_FORMATS.filter((one) => usable(one, surface))) {
      const asked = ask(surface);
      if (asked === null) continue;
      const body = { ...surface.body(`${format.dialect}/${model}`, 'Hi'), ...asked };
      // A token for three bytes of what was sent, and what the provider adds.
      const input = Math.floor(Buffer.byteLength(JSON.stringify(body)) / 3) + bills;
      rig.upstream.script = format.says({ text: 'x', usage: { input, cacheRead: 0, output: 1 } });
      const reply = await send(rig.to, surface, body);
      await reply.text();
      if (reply.status === 200) sent++;
    }
  expect(sent).toBeGreaterThan(3);
  const { rows } = await rig.weir.db.query(
    `SELECT c.surface, c.provider, c.held, sum(e.amount) AS spent FROM calls c JOIN ledger_entries e ON e.call_id = c.id
     WHERE c.admitted_at >= $1 GROUP BY c.id, c.held, c.surface, c.provider HAVING sum(e.amount) > c.held`,
    [since.rows[0]!.now],
  );
  expect(rows).toEqual([]);
});
