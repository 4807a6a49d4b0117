import type { Script } from '../support/upstream.js';
import { changed, modelOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, send } from './support/surfaces.js';

const TEXT = 'Every word of this sentence was made by the model and is billed. '.repeat(24);
const USAGE = { input: 21, cacheRead: 0, output: 901 };
const COST = BigInt(USAGE.input) * 1_000n + BigInt(USAGE.output) * 2_000n;
const FAILURE = { error: { message: 'The engine went away.', type: 'server_error', code: 'server_error' } };
/** Formats whose replies have no place for a failure beside an answer. */
const APART = ['bedrock-converse', 'cohere'];

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});

afterAll(() => rig.stop());

/** A whole answer that tells of a failure as well. @param change of its JSON. */
const failing = ({ says, dialect }: ProviderFormat, text: string, change = (json: string) => json): Script => {
  const failure = dialect === 'workers-ai' ? { success: false, errors: [{ code: 3043, message: 'The engine went away.' }] } : FAILURE;
  const status = dialect === 'openai-responses' && { status: 'failed' };
  const script = changed(says({ text, usage: USAGE }), (json) => change(JSON.stringify({ ...JSON.parse(json), ...status, ...failure })));
  // Also where a stream is asked for.
  return (call, response) => script({ ...call, body: { ...call.body, stream: false }, path: call.path.replace('stream', '') }, response);
};

const withoutCounts = (json: string): string =>
  JSON.stringify(
    JSON.parse(json, (key, value) => (/^(?:usage|usageMetadata|prompt_eval_count|eval_count)$/.test(key) ? undefined : value)),
  );

/** What the call was booked as, in nano-dollars. */
async function bookedFor(reply: Response): Promise<bigint> {
  const id = reply.headers.get('x-request-id')!.replace('call_', '');
  const { rows } = await rig.weir.db.query<{ amount: string }>(
    "SELECT amount::text FROM ledger_entries WHERE kind = 'usage' AND replace(call_id::text, '-', '') = $1",
    [id],
  );
  return BigInt(rows[0]?.amount ?? 0);
}

async function wrongOnes(script: (format: ProviderFormat) => Script, isRight: (booked: bigint) => boolean): Promise<string[]> {
  const wrong: string[] = [];
  for (const surface of CONVERSATIONS)
    for (const format of PROVIDER_FORMATS.filter(({ dialect }) => !APART.includes(dialect)))
      for (const stream of [false, true]) {
        rig.upstream.script = script(format);
        const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { stream, [surface.limitField!]: 4_000 }));
        const text = await reply.text();
        const booked = await bookedFor(reply);
        if (!text.includes('rror') || !isRight(booked))
          wrong.push(`${surface.route} ${format.dialect} ${stream}: ${reply.status} ${booked} ${text.slice(0, 80)}`);
      }
  return wrong;
}

test('a failure that comes with a count is booked as counted', async () => {
  expect(
    await wrongOnes(
      (format) => failing(format, TEXT),
      (booked) => booked === COST,
    ),
  ).toEqual([]);
});

test('a failure that comes with output, and without a count, is booked for no less than the output', async () => {
  const least = BigInt(Math.floor(TEXT.length / 4)) * 2_000n;
  expect(
    await wrongOnes(
      (format) => failing(format, TEXT, withoutCounts),
      (booked) => booked >= least,
    ),
  ).toEqual([]);
});

test('a failure alone costs nothing', async () => {
  expect(
    await wrongOnes(
      (format) => failing(format, '', withoutCounts),
      (booked) => booked === 0n,
    ),
  ).toEqual([]);
});
