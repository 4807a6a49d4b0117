import { readFileSync } from 'node:fs';
import { PUBLIC_ROUTES } from '../../src/gateway/routes.js';
import { eventsOf, modelOf, PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CALLS, CONVERSATIONS, ROWS, SURFACES, send } from './support/surfaces.js';

const SAID = { text: 'Hello from upstream', usage: { input: 9, cacheRead: 0, output: 12 } };

test('every route of the public listener has a row for attacks', () => {
  expect(Object.keys(ROWS)).toEqual(PUBLIC_ROUTES.map(({ method, path }) => `${method} ${path}`));
});

test('the listener registers what the table of routes has, and nothing else', () => {
  const source = readFileSync(`${__dirname}/../../src/gateway/public-server.ts`, 'utf8');
  expect(source.match(/\bapp\.(get|post|put|patch|delete|all|head|options|route)\(/g)).toEqual(['app.route(']);
});

describe('a sample request', () => {
  let rig: Rig;

  beforeAll(async () => {
    rig = await startRig();
  });

  afterAll(() => rig.stop());

  test.each(SURFACES.map((surface) => [surface.route, surface] as const))('%s is taken', async (_, surface) => {
    const reply = await send(rig.to, surface, surface.body('mock/echo'));
    // No call is known, and no rule allows a path of a provider.
    const status = surface.kind === 'passthrough' ? 403 : /\/(calls|approvals)\//.test(surface.path) ? 404 : 200;
    expect([reply.status, await reply.text()]).toEqual([status, expect.any(String)]);
  });

  const pairs = CONVERSATIONS.flatMap((surface) =>
    PROVIDER_FORMATS.flatMap((format) => [false, true].map((stream) => ({ surface, format, stream }))),
  );

  test('is answered on every surface in every wire format, whole and streamed', async () => {
    const failed: string[] = [];
    for (const { surface, format, stream } of pairs) {
      rig.upstream.script = format.says(SAID);
      const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { stream }));
      const text = await reply.text();
      if (reply.status !== 200 || !text.includes('upstream'))
        failed.push(`${surface.route} ${format.dialect} ${stream}: ${reply.status} ${text}`);
    }
    expect(failed).toEqual([]);
  });

  test('for embeddings is answered in every format that has them', async () => {
    const surface = CALLS.find(({ path }) => path === '/v1/embeddings')!;
    for (const format of PROVIDER_FORMATS.filter(({ embeds }) => embeds)) {
      rig.upstream.script = format.embeds!;
      const model = format.dialect === 'bedrock-converse' ? `${format.dialect}/amazon.titan-embed-text-v2:0` : modelOf(format);
      const reply = await send(rig.to, surface, surface.body(model));
      expect([format.dialect, reply.status, await reply.json()]).toMatchObject([
        format.dialect,
        200,
        { data: [{ embedding: [0.1, 0.2] }] },
      ]);
    }
  });
});

test.each(PROVIDER_FORMATS.map((format) => [format.dialect, format] as const))('a stream of %s has events to be cut at', (_, format) => {
  const { type, events } = eventsOf(format, SAID);
  expect(type).not.toBe('');
  expect(events.length).toBeGreaterThan(1);
});
