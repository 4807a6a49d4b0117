import { brokenInvariants } from '../../support/ledger.js';
import { Random } from '../../support/random.js';
import { bytesOf, eachRecording, RECORDINGS, type Recording } from '../../support/recordings.js';
import { type Reader, readAsChat, readAsMessages, readAsResponses, type Seen } from './readers.js';
import { Replay } from './replay.js';

jest.setTimeout(60_000);

const random = Random.ofRun('recordings');
const EMBEDDINGS = /embed|invoke/i;
/** Four replies to four requests in one file, of which the last is described: after its first end a stream is over. */
const NOT_ONE_REPLY = 'openai-responses/reasoning-encrypted-stream';
const conversations = RECORDINGS.filter(({ id, api }) => !EMBEDDINGS.test(api) && id !== NOT_ONE_REPLY);

const broken = conversations.filter(({ stream, expected }) => stream && !expected.error);

interface BookedCall {
  status: string;
  error_code: string | null;
  estimated: boolean;
  usage: Record<'input_tokens' | 'cache_read_tokens' | 'cache_write_tokens' | 'output_tokens', number | null>;
}

let replay: Replay;

beforeAll(async () => {
  replay = await Replay.start();
});

afterAll(async () => {
  expect(await brokenInvariants(replay.weir.db)).toEqual([]);
  await replay.stop();
});

describe('a chat client reads what the recording says, and so does the ledger', () =>
  eachRecording(conversations, async (recording) => {
    const seen = await readThrough(readAsChat, recording);
    expectSeen(seen, recording);
    await expectBooked(seen, recording);
  }));

describe('the official OpenAI SDK reads it as Responses', () =>
  eachRecording(conversations, async (recording) => expectSeen(await readThrough(readAsResponses, recording), recording)));

describe('the official Anthropic SDK reads it as Messages', () =>
  eachRecording(conversations, async (recording) => expectSeen(await readThrough(readAsMessages, recording), recording)));

describe('a stream that breaks off is an error to its client, and what was used is booked', () =>
  eachRecording(broken, async (recording) => {
    const part = random.int(1, percentBeforeEnd(recording)) / 100;
    const seen = await readThrough(random.pick([readAsChat, readAsResponses, readAsMessages]), recording, part);
    expect(seen).toMatchObject({ error: expect.anything(), finish: null });
    const call = await bookedCall(seen);
    expect(call).toMatchObject({ status: 'cut', error_code: 'upstream_interrupted' });
    const { input_total, output_total } = recording.expected.usage ?? {};
    expect(call.usage.input_tokens! + call.usage.cache_read_tokens!).toBeGreaterThan(0);
    if (!call.estimated) expect(call.usage.output_tokens).toBeLessThanOrEqual(output_total ?? input_total!);
  }));

/** How a stream of any format says that its answer ended. */
const END = /"finish_?reason":\s*"\w|"stop_reason":\s*"\w|messageStop|response\.(completed|incomplete)|"done":\s*true|message-end/i;

/** How much of a stream may be sent, in percent, so that the end of its answer is not; less than half, so that much is missing. */
function percentBeforeEnd({ files }: Recording): number {
  const bytes = bytesOf(files.response).toString('latin1');
  const end = bytes.search(END);
  return Math.min(45, end === -1 ? 45 : Math.floor((100 * end) / bytes.length));
}

function readThrough(read: Reader, recording: Recording, part = 1): Promise<Seen> {
  replay.play(recording, random, part);
  return read(replay, replay.modelOf(recording), recording.stream);
}

function expectSeen(seen: Seen, { expected, stream, api }: Recording): void {
  if (expected.error) {
    expect(seen.error).not.toBeNull();
    if (stream && seen.status === 200) expect(seen.finish).toBeNull();
    return;
  }
  expect(seen.error).toBeNull();
  // Their text stands in a field of its own, which the recording's description does not read.
  if (api !== 'completions') expect(seen.text).toBe(expected.text ?? '');
  if (seen.reasoning !== null) expect(seen.reasoning).toBe(expected.reasoning_text ?? '');
  const calls = expected.tool_calls ?? [];
  expect(seen.calls.map(({ name, arguments: json }) => ({ name, arguments: JSON.parse(json) }))).toEqual(
    calls.map(({ name, arguments: args }) => ({ name, arguments: args })),
  );
  for (const [index, { id }] of calls.entries()) {
    if (id) expect(seen.calls[index]!.id).toBe(id);
    else expect(seen.calls[index]!.id).toMatch(/^\S+$/);
  }
  expect(new Set(seen.calls.map(({ id }) => id)).size).toBe(calls.length);
  expect(seen.finish).toBe(expected.finish_reason_openai);
}

const bookedCall = ({ callId }: Seen) => replay.tenant.admin<BookedCall>('GET', `/v1/organization/calls/${callId}`);

async function expectBooked(seen: Seen, { expected }: Recording): Promise<void> {
  const usage = expected.usage;
  if (usage?.input_total == null || usage.output_total == null) return;
  // What was read and written at once is billed as both, so that classes can add up to more than the provider's total.
  const overlap = Math.max(0, (usage.cache_read ?? 0) + (usage.cache_write ?? 0) - usage.input_total);
  const call = await bookedCall(seen);
  expect(call.usage).toMatchObject({
    input_tokens: usage.input_total + (usage.input_uncached === 0 ? overlap : 0),
    cache_read_tokens: usage.cache_read ?? 0,
    cache_write_tokens: usage.cache_write ?? 0,
    output_tokens: usage.output_total,
  });
}
