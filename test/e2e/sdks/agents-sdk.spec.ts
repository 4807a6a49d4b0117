import { Agent, OpenAIProvider, Runner, tool } from '@openai/agents';
import { z } from 'zod';
import { formatRig } from '../../support/format-rig.js';
import { REPLY_FORMATS, type ReplyFormat, type Said } from '../../support/tool-replies.js';
import { booked } from '../../support/weir.js';

jest.setTimeout(60_000);

const ANSWER = 'Sunny in Bern, and it is noon.';
const USAGE = { input: 40, cacheRead: 10, output: 7 };
const CALLS = [
  { id: 'call_0_x', name: 'weather', arguments: { city: 'Bern' } },
  { id: 'call_1_x', name: 'clock', arguments: {} },
];
const HANDOFF = { id: 'call_2_x', name: 'transfer_to_writer', arguments: {} };
const SAID: Said[] = [
  { text: 'Let me look.', calls: CALLS, usage: USAGE },
  { calls: [HANDOFF], usage: USAGE },
  { text: ANSWER, usage: USAGE },
];

const writer = new Agent({ name: 'writer', instructions: 'Put it in one sentence.' });
const desk = new Agent({
  name: 'desk',
  instructions: 'Find out, then hand over.',
  tools: [
    tool({
      name: 'weather',
      description: 'Tells the weather.',
      parameters: z.object({ city: z.string() }),
      execute: ({ city }) => `sunny in ${city}`,
    }),
    tool({ name: 'clock', description: 'Tells the time.', parameters: z.object({}), execute: () => 'noon' }),
  ],
  handoffs: [writer],
});

const rig = formatRig();

const CELLS = Object.entries(REPLY_FORMATS).flatMap(([name, format]: [string, ReplyFormat]) =>
  ['Responses', 'chat'].flatMap((surface) => [false, true].map((stream) => ({ name, format, surface, stream }))),
);

test.each(CELLS)('two tools and a hand-off over $surface from a provider that speaks $name, streamed: $stream', async (cell) => {
  const { name, format, surface, stream } = cell;
  const { upstream, weir, tenant } = rig;
  const [seen, before] = [upstream.calls.length, (await booked(weir, tenant)).length];
  upstream.script = (call, response) => format.says(SAID[upstream.calls.length - seen - 1]!)(call, response);
  const modelProvider = new OpenAIProvider({ openAIClient: tenant.openai, useResponses: surface === 'Responses' });
  const runner = new Runner({ modelProvider, model: `${name}/${format.model}`, tracingDisabled: true });

  const question = 'How is Bern?';
  const run = stream ? await runner.run(desk, question, { stream }) : await runner.run(desk, question);
  if ('completed' in run) await run.completed;

  expect([run.finalOutput, run.lastAgent?.name]).toEqual([ANSWER, 'writer']);
  const { calls, results } = format.hears(upstream.calls.at(-1)!.body);
  expect(calls).toEqual([...CALLS, HANDOFF]);
  expect(results).toMatchObject([
    { id: 'call_0_x', text: 'sunny in Bern' },
    { id: 'call_1_x', text: 'noon' },
    { id: 'call_2_x', text: expect.stringContaining('writer') },
  ]);
  const settled = (await booked(weir, tenant)).slice(before);
  expect(settled).toMatchObject(SAID.map(() => ({ status: 'completed', estimated: false, input: 40, cache_read: 10, output: 7 })));
});
