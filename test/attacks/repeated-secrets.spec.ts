import { json, type Script } from '../support/upstream.js';
import { eventsOf, modelOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CALLS, CONVERSATIONS, send } from './support/surfaces.js';

const KEY = 'sk-live-0123456789abcdefghijKLMNOPqrstuv';
const HALF = KEY.slice(0, KEY.length / 2);
const MARK = 'MARKED-TEXT';
const USAGE = { input: 9, cacheRead: 0, output: 12 };

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({}, PROVIDER_FORMATS, KEY);
});
afterAll(() => rig.stop());

const everyUnit = (text: string): string => [...text].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

/** Ways to say the key so that nobody who looks at single events as they are sees it: JSON texts, one for each event. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  'in two events': [KEY.slice(0, 19), KEY.slice(19)],
  'a character an event': [...KEY],
  'with every character escaped': [everyUnit(KEY)],
  'escaped, in three events': [KEY.slice(0, 8), KEY.slice(8, 30), KEY.slice(30)].map(everyUnit),
};
/** Frames of AWS carry a checksum, so they are not edited here. */
const EDITABLE = PROVIDER_FORMATS.filter(({ dialect }) => dialect !== 'bedrock-converse');

/** A stream whose text comes in these pieces, each written on its own. */
function inPieces(format: ProviderFormat, pieces: readonly string[]): Script {
  const { type, events } = eventsOf(format, { text: MARK, usage: USAGE });
  const edited = events.flatMap((event) => {
    const text = event.toString();
    // A summary of all that came may follow the pieces of it.
    return text.includes(MARK) ? pieces.map((piece) => text.replaceAll(MARK, piece)) : [text];
  });
  return async (_call, response) => {
    response.writeHead(200, { 'content-type': type });
    for (const event of edited) if (!response.destroyed) await new Promise((resolve) => response.write(event, resolve));
    response.end();
  };
}

/** All texts of a reply by their fields, each joined. */
function textsIn(reply: string): string {
  const byField = new Map<string, string>();
  for (const [, field, value] of reply.matchAll(/"(\w+)"\s*:\s*("(?:[^"\\]|\\.)*")/g))
    byField.set(field!, (byField.get(field!) ?? '') + (JSON.parse(value!) as string));
  return [...byField.values()].join('\n');
}

const cases = CONVERSATIONS.flatMap((surface) =>
  EDITABLE.map((format) => [`${surface.path} of ${format.dialect}`, surface, format] as const),
);

test.each(cases)('%s: no client gets more than half of the key, however a stream says it', async (_, surface, format) => {
  for (const [way, pieces] of Object.entries(WAYS)) {
    rig.upstream.script = inPieces(format, pieces);
    const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { stream: true }));
    const text = await reply.text();
    expect([way, textsIn(text).includes(HALF)]).toEqual([way, false]);
  }
});

test.each(cases)('%s: nor of a whole answer', async (_, surface, format) => {
  for (const said of [KEY, everyUnit(KEY)]) {
    rig.upstream.script = (call, response) => {
      const { end } = response;
      response.end = ((text: string) => end.call(response, text.replaceAll(MARK, said), 'utf8')) as typeof response.end;
      response.removeHeader('content-length');
      return format.says({ text: MARK, usage: USAGE })(call, response);
    };
    const reply = await send(rig.to, surface, surface.body(modelOf(format)));
    expect(textsIn(await reply.text())).not.toContain(HALF);
  }
});

test('no address of a customer can make Weir show what it answers with an error', async () => {
  const secret = 'internal: the flag is 12345';
  for (const surface of CALLS)
    for (const format of PROVIDER_FORMATS.filter(({ embeds }) => surface.streams || embeds))
      for (const status of [400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 503]) {
        rig.upstream.script = json(status, {
          error: { message: secret, type: 'x', code: 'context_length_exceeded', status: 'INVALID_ARGUMENT' },
          errors: [{ message: secret }],
          message: secret,
        });
        const reply = await send(rig.to, surface, surface.body(modelOf(format)));
        const text = await reply.text();
        expect([surface.path, format.dialect, status, reply.status >= 400, text.includes('12345')]).toEqual([
          surface.path,
          format.dialect,
          status,
          true,
          false,
        ]);
      }
});
