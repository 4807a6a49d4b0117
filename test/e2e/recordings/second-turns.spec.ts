import { brokenInvariants } from '../../support/ledger.js';
import { Random } from '../../support/random.js';
import { bytesOf, eachRecording, RECORDINGS, type Recording } from '../../support/recordings.js';
import type { Heard } from '../../support/tool-replies.js';
import { json } from '../../support/upstream.js';
import { type Echo, echoChat, echoMessages, echoResponses } from './echoes.js';
import { nativeOf, saidIn } from './native.js';
import { Replay } from './replay.js';

jest.setTimeout(60_000);

const random = Random.ofRun('second turns');
const resultOf = (call: number): string => `result ${call}`;
const WORDS = 'Go on.';

/** Ids as any provider takes them back. Some give none, and Bedrock gives ids that it refuses. */
const isTaken = (id: string | undefined): boolean => /^[\w-]{1,64}$/.test(id ?? '');

const hasState = ({ expected: { tool_calls, reasoning_signatures, redacted_reasoning_blocks } }: Recording) =>
  (tool_calls?.length ?? 0) + (reasoning_signatures ?? 0) + (redacted_reasoning_blocks ?? 0) > 0;
const answers = RECORDINGS.filter(hasState);

let replay: Replay;

beforeAll(async () => {
  replay = await Replay.start();
});

beforeEach(() => {
  replay.upstream.calls.length = 0;
});

afterAll(async () => {
  expect(await brokenInvariants(replay.weir.db)).toEqual([]);
  await replay.stop();
});

const surfaces: [string, Echo][] = [
  ['chat', echoChat],
  ['Responses', echoResponses],
  ['Messages', echoMessages],
];

describe.each(surfaces)('a client of %s sends an answer back, and the provider gets what it said', (_name, echo) =>
  eachRecording(answers, async (recording) => {
    replay.play(recording, random);
    await echo(replay, replay.modelOf(recording), recording.stream, { resultOf, words: WORDS });
    const said = saidIn(recording);
    const heard = nativeOf(recording).hears(replay.upstream.calls.at(-1)!.body);
    expect(heard.states).toEqual(said.states);
    expect(heard.calls).toEqual(said.calls.map((call) => ({ ...call, id: isTaken(call.id) ? call.id : expect.stringMatching(/^\S+$/) })));
    expect(heard.results).toEqual(heard.calls.map(({ id }, index) => ({ id, text: resultOf(index) })));
    expect(heard.order).toEqual([...said.order, ...said.calls.map(() => 'result')]);
  }),
);

const followUps = RECORDINGS.filter(({ id }) => /-replay$|tool-.*results?(-stream)?$|tool-error-result$/.test(id));

describe.each(surfaces)("a client of %s makes the provider's own kind of second request", (_name, echo) =>
  eachRecording(followUps, async (recording) => {
    const { hears, replyOf, modelTurnsOf } = nativeOf(recording);
    const recorded = JSON.parse(bytesOf(recording.files.request!).toString());
    const { calls, results, ...said } = hears(recorded);
    replay.upstream.script = json(200, replyOf(recorded));
    const next = { resultOf: (call: number) => results[call]!.text, words: WORDS };
    await echo(replay, replay.modelOf(recording), false, next);
    const sent = replay.upstream.calls.at(-1)!.body;
    expect(hears(sent)).toEqual({ ...said, calls, results } satisfies Heard);
    expect(modelTurnsOf(sent)).toEqual(modelTurnsOf(recorded));
  }),
);
