import { answer, chunk, delta, json, stream } from '../support/upstream.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();

const FUNCTION = { type: 'function', name: 'f', parameters: { type: 'object' } };
const ask = (body: object, script = answer()) => rig.send('/v1/responses', 'custom', 'm1', { input: 'Hi', ...body }, script);

describe('the Response object on a provider of another format', () => {
  test.each([false, true])('has every field that OpenAI requires, with a value of its kind, streamed: %s', async (streamed) => {
    const { body, events } = await ask({ stream: streamed, tools: [FUNCTION] });
    const response = streamed ? events.at(-1).response : body;
    expect(response).toMatchObject({
      status: 'completed',
      completed_at: expect.any(Number),
      presence_penalty: 0,
      frequency_penalty: 0,
      temperature: 1,
      top_p: 1,
      top_logprobs: 0,
      max_tool_calls: null,
      prompt_cache_key: null,
      safety_identifier: null,
      service_tier: 'default',
      tools: [{ ...FUNCTION, strict: false }],
    });
    expect(response.completed_at).toBeGreaterThanOrEqual(response.created_at);
    if (streamed) expect(events[0].response.completed_at).toBeNull();
  });

  test('repeats what was asked for', async () => {
    const asked = { temperature: 0.5, top_p: 0.9, safety_identifier: 'u', reasoning: { effort: 'low' }, text: { verbosity: 'low' } };
    expect((await ask(asked)).body).toMatchObject({ ...asked, text: { verbosity: 'low', format: { type: 'text' } } });
  });

  test('an answer that is cut off was not completed', async () => {
    const cut = json(200, { choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'length' }] });
    expect((await ask({}, cut)).body).toMatchObject({ status: 'incomplete', completed_at: null });
  });

  test.each([
    ['broken off', stream([delta({ role: 'assistant', content: 'a' })], 'reset'), 'server_error'],
    [
      'limited',
      stream([delta({ role: 'assistant', content: 'a' }), chunk({ error: { code: 429, message: 'slow down' } })]),
      'rate_limit_exceeded',
    ],
  ])('a stream that is %s ends with a code that OpenAI has', async (_name, script, code) => {
    const { events } = await ask({ stream: true }, script);
    expect(events.at(-1)).toMatchObject({ type: 'response.failed', response: { status: 'failed', error: { code } } });
  });
});

test('a reference to what Weir does not keep is left out and told', async () => {
  const hello = { role: 'user', content: 'Hi' };
  const left = await ask({ input: [hello, { type: 'item_reference', id: 'rs_1' }, hello] });
  expect([left.status, left.warnings.includes('item_reference')]).toEqual([200, true]);
});
