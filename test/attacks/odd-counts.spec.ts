import { quantity } from '../support/ledger.js';
import { changed, modelOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, SURFACES, send } from './support/surfaces.js';

/** Numbers that stand in no reply but as counts; each is replaced by what a case counts. */
const MARKS = { input: 7_000_001, output: 7_000_002, total: 14_000_003 };
const TRUE = { input: 500, output: 900, total: 1_400 };
const TEXT = 'Every word of this sentence was made by the model and is billed. '.repeat(24);
/** No provider bills more bytes than these to a token of plain text. */
const BYTES_PER_TOKEN = 4;
const SAID = { text: TEXT, usage: { input: MARKS.input, cacheRead: 0, output: MARKS.output } };

interface Counts {
  input: unknown;
  output: unknown;
  total: unknown;
}

/** A reply with these counts. Those that are undefined are left out. */
const counting = ({ says }: ProviderFormat, counts: Counts) =>
  changed(says(SAID), (json) =>
    JSON.stringify(
      JSON.parse(json, (_key, value) => {
        for (const part of ['input', 'output', 'total'] as const) if (value === MARKS[part]) return counts[part];
        return value;
      }),
    ),
  );

const all = (value: unknown): Counts => ({ input: value, output: value, total: value });

/** Counts that cannot be right. */
const WRONG: Readonly<Record<string, Counts>> = {
  'nothing for everything': all(0),
  'no output': { ...TRUE, output: 0, total: TRUE.input },
  'no input': { ...TRUE, input: 0, total: TRUE.output },
  'no count at all': all(undefined),
  'a total alone': { input: undefined, output: undefined, total: TRUE.total },
  'less than nothing': all(-5),
  'more than there is': all(1e300),
  'a part of a token': all(0.5),
  'a word': all('many'),
  'an empty text': all(''),
  null: all(null),
  'a list': all([5]),
  yes: all(true),
};

/** Counts whose meaning is plain. */
const PLAIN: Readonly<Record<string, Counts>> = {
  'texts of digits': { input: '500', output: '900', total: '1400' },
  'parts without a total': { ...TRUE, total: undefined },
  'a total that is null': { ...TRUE, total: null },
};
/** Of formats that have a total. */
const PARTS: Readonly<Record<string, Counts>> = {
  'a total without the output': { ...TRUE, output: undefined },
  'a total without the input': { ...TRUE, input: undefined },
  'a total, the output null': { ...TRUE, output: null },
  'a total, the input null': { ...TRUE, input: null },
};
const TOTALS = ['openai-chat', 'openai-completions', 'openai-responses', 'gemini', 'bedrock-converse', 'workers-ai'];

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});

afterAll(() => rig.stop());

interface Booked {
  status: string;
  estimated: boolean;
  amount: number;
  input: number;
  output: number;
}

/** What the call was booked as. */
async function bookedAs(reply: Response): Promise<Booked | undefined> {
  await reply.text();
  const id = reply.headers.get('x-request-id')!.replace('call_', '');
  const { rows } = await rig.weir.db.query<Booked>(
    `SELECT c.status, c.estimated, l.amount::float8 AS amount, (${quantity('l', 'input')} + ${quantity('l', 'cacheRead')})::int AS input, (${quantity('l', 'output')})::int AS output
     FROM calls c JOIN ledger_entries l ON l.call_id = c.id AND l.kind = 'usage' WHERE replace(c.id::text, '-', '') = $1`,
    [id],
  );
  return rows[0];
}

const SPOKEN = CONVERSATIONS.filter(({ route }) => /chat\/completions|responses|messages|\/completions/.test(route));
const ways = SPOKEN.flatMap((surface) =>
  PROVIDER_FORMATS.flatMap((format) => [false, true].map((stream) => ({ surface, format, stream }))),
);

async function wrongOnes(
  counts: Counts,
  formats: (format: ProviderFormat) => boolean,
  isRight: (booked: Booked) => boolean,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const { surface, format, stream } of ways.filter((way) => formats(way.format))) {
    rig.upstream.script = counting(format, counts);
    const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { stream, [surface.limitField!]: 4_000 }));
    const booked = await bookedAs(reply);
    if (reply.status !== 200 || !booked || !isRight(booked))
      wrong.push(JSON.stringify([surface.route, format.dialect, stream, reply.status, booked]));
  }
  return wrong;
}

test.each(Object.entries(WRONG))(
  'an answer whose provider counts %s is booked by what was delivered, as an estimate',
  async (_what, counts) => {
    const isRight = ({ status, estimated, input, output, amount }: Booked) =>
      status === 'completed' && estimated && input > 0 && output >= TEXT.length / BYTES_PER_TOKEN && output <= 4_000 && amount > 0;
    expect(await wrongOnes(counts, () => true, isRight)).toEqual([]);
  },
);

const isExact = ({ estimated, input, output }: Booked) => !estimated && input === TRUE.input && output === TRUE.output;

test.each(Object.entries(PLAIN))('%s are counts', async (_what, counts) => {
  expect(await wrongOnes(counts, () => true, isExact)).toEqual([]);
});

test.each(Object.entries(PARTS))('%s: the rest is plain', async (_what, counts) => {
  expect(await wrongOnes(counts, ({ dialect }) => TOTALS.includes(dialect), isExact)).toEqual([]);
});

test('embeddings whose provider counts no input are booked by the text that was sent', async () => {
  const surface = SURFACES.find(({ route }) => route === 'POST /v1/embeddings')!;
  const wrong: string[] = [];
  for (const format of PROVIDER_FORMATS.filter(({ embeds }) => embeds)) {
    rig.upstream.script = changed(format.embeds!, (json) => json.replaceAll(/("\w*(?:_tokens|TokenCount|_count)":)3/g, '$10'));
    const booked = await bookedAs(await send(rig.to, surface, surface.body(modelOf(format), TEXT)));
    if (!booked?.estimated || booked.input < TEXT.length / 8) wrong.push(JSON.stringify([format.dialect, booked]));
  }
  expect(wrong).toEqual([]);
});
