import { json } from '../support/upstream.js';
import { changed, modelOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { lendFormats, lentModelOf } from './support/lent.js';
import { CONVERSATIONS, send } from './support/surfaces.js';

const USAGE = { input: 21, cacheRead: 0, output: 901 };
const COST = BigInt(USAGE.input) * 1_000n + BigInt(USAGE.output) * 2_000n;
const LIMIT = 4_000;
/** The output alone. */
const HELD = BigInt(LIMIT) * 2_000n;
const FAILURE = { error: { message: 'The engine went away.', type: 'server_error', code: 'server_error' } };
const PAGE = '<html><body><h1>Gateway time-out</h1></body></html>';

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
  await lendFormats(rig, true);
}, 120_000);

afterAll(() => rig.stop());

interface Booked {
  status: string;
  amount: string;
  estimated: boolean;
}

async function bookedFor(reply: Response): Promise<Booked | undefined> {
  const id = reply.headers.get('x-request-id')!.replace('call_', '');
  const { rows } = await rig.weir.db.query<Booked>(
    `SELECT c.status, c.estimated, l.amount::text FROM calls c JOIN ledger_entries l ON l.call_id = c.id AND l.kind = 'usage'
     WHERE replace(c.id::text, '-', '') = $1`,
    [id],
  );
  return rows[0];
}

/** The calls, on every surface and in every format, of which something else is booked. */
async function wrongOnes(
  refuse: (format: ProviderFormat) => typeof rig.upstream.script,
  isRight: (booked: Booked | undefined, reply: Response) => boolean,
  nameOf = modelOf,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const surface of CONVERSATIONS)
    for (const format of PROVIDER_FORMATS)
      for (const stream of [false, true]) {
        rig.upstream.script = refuse(format);
        const reply = await send(rig.to, surface, surface.body(nameOf(format), 'Hello', { stream, [surface.limitField!]: LIMIT }));
        const text = await reply.text();
        const booked = await bookedFor(reply);
        if (!isRight(booked, reply))
          wrong.push(`${surface.route} ${format.dialect} ${stream}: ${reply.status} ${JSON.stringify(booked)} ${text.slice(0, 80)}`);
      }
  return wrong;
}

const isHeld = (booked: Booked | undefined): boolean => booked?.status === 'cut' && booked.estimated && BigInt(booked.amount) >= HELD;
const isTimeout = ({ status }: Response): boolean => status === 504;

test.each([504, 522, 524])(
  'a front that waited in vain for the provider, status %i, is a timeout after sending: the hold is booked',
  async (status) => {
    expect(
      await wrongOnes(
        () => json(status, PAGE),
        (booked, reply) => isHeld(booked) && isTimeout(reply),
      ),
    ).toEqual([]);
  },
);

test('of a provider that the platform lends too', async () => {
  expect(
    await wrongOnes(
      () => json(504, PAGE),
      (booked, reply) => isHeld(booked) && isTimeout(reply),
      lentModelOf,
    ),
  ).toEqual([]);
});

test.each([500, 502, 503, 521, 523])('a failure with status %i alone costs nothing', async (status) => {
  expect(
    await wrongOnes(
      () => json(status, PAGE),
      (booked) => booked === undefined,
    ),
  ).toEqual([]);
});

/** A reply without an answer and with a count. */
const counted = ({ says, dialect }: ProviderFormat, status: number): typeof rig.upstream.script => {
  const failure = dialect === 'workers-ai' ? { success: false, errors: [{ code: 3043, message: 'The engine went away.' }] } : FAILURE;
  const script = changed(says({ text: '', usage: USAGE }), (text) => JSON.stringify({ ...JSON.parse(text), ...failure }));
  return (call, response) => {
    const writeHead = response.writeHead.bind(response);
    response.writeHead = ((_status: number, headers: Record<string, string>) => writeHead(status, headers)) as typeof response.writeHead;
    return script({ ...call, body: { ...call.body, stream: false }, path: call.path.replace('stream', '') }, response);
  };
};

test.each([400, 500, 503, 504])('a refusal with status %i that comes with a count is booked as counted', async (status) => {
  expect(
    await wrongOnes(
      (format) => counted(format, status),
      (booked) => booked?.status === 'cut' && !booked.estimated && BigInt(booked.amount) === COST,
    ),
  ).toEqual([]);
});
