import type { Script } from '../support/upstream.js';
import { modelOf, PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, SURFACES, send } from './support/surfaces.js';

const SAID = { text: 'Hello from upstream', usage: { input: 500, cacheRead: 0, output: 900 } };
const COST = 500n * 1_000n + 900n * 2_000n;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});

afterAll(() => rig.stop());

/** The same answer with another status. */
const withStatus =
  (status: number, script: Script): Script =>
  (call, response) => {
    const writeHead = response.writeHead.bind(response);
    response.writeHead = ((_status: number, headers: Record<string, string>) => writeHead(status, headers)) as typeof response.writeHead;
    return script(call, response);
  };

/** What the call was booked as, in nano-dollars. */
async function bookedFor(reply: Response): Promise<bigint | undefined> {
  const id = reply.headers.get('x-request-id')!.replace('call_', '');
  const { rows } = await rig.weir.db.query<{ amount: string }>(
    "SELECT amount::text FROM ledger_entries WHERE kind = 'usage' AND replace(call_id::text, '-', '') = $1",
    [id],
  );
  return rows[0] && BigInt(rows[0].amount);
}

test.each([201, 202, 203, 206])('an answer with status %i is given on and booked like any other', async (status) => {
  const wrong: string[] = [];
  for (const surface of CONVERSATIONS)
    for (const format of PROVIDER_FORMATS)
      for (const stream of [false, true]) {
        rig.upstream.script = withStatus(status, format.says(SAID));
        const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { stream, [surface.limitField!]: 4_000 }));
        const text = await reply.text();
        const booked = await bookedFor(reply);
        if (reply.status !== 200 || !text.includes('upstream') || booked !== COST)
          wrong.push(`${surface.route} ${format.dialect} ${stream}: ${reply.status} ${booked} ${text.slice(0, 80)}`);
      }
  expect(wrong).toEqual([]);
});

test('embeddings too', async () => {
  const surface = SURFACES.find(({ path }) => path === '/v1/embeddings')!;
  const wrong: string[] = [];
  for (const format of PROVIDER_FORMATS.filter(({ embeds }) => embeds)) {
    rig.upstream.script = withStatus(201, format.embeds!);
    const model = format.dialect === 'bedrock-converse' ? `${format.dialect}/amazon.titan-embed-text-v2:0` : modelOf(format);
    const reply = await send(rig.to, surface, surface.body(model));
    await reply.text();
    if (reply.status !== 200 || !(await bookedFor(reply))) wrong.push(`${format.dialect}: ${reply.status}`);
  }
  expect(wrong).toEqual([]);
});

test('an answer without a body is booked at all that was held', async () => {
  rig.upstream.script = (_call, response) => void response.writeHead(204).end();
  const [surface] = CONVERSATIONS;
  const reply = await send(rig.to, surface!, surface!.body('openai-chat/m'));
  await reply.text();
  expect([reply.status, await bookedFor(reply)]).toEqual([502, expect.any(BigInt)]);
  expect(await bookedFor(reply)).toBeGreaterThanOrEqual(100n * 2_000n);
});
