import { chunk, delta, type Script } from '../../support/upstream.js';

/** What {@link answerInSteps} bills. */
export const STEPS_USAGE = { prompt_tokens: 9, completion_tokens: 12 };

const breath = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A whole answer. A stream of it arrives in pieces of their own: head, content, content, end. */
export const answerInSteps: Script = async (seen, response) => {
  if (!seen.body.stream) {
    seen.billed = STEPS_USAGE;
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }];
    response.writeHead(200, { 'content-type': 'application/json' });
    const body = { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'test-model-2026', choices, usage: STEPS_USAGE };
    return void response.end(JSON.stringify(body));
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const content of ['Hel', 'lo']) {
    response.write(delta({ content }));
    await breath();
  }
  seen.billed = STEPS_USAGE;
  response.end(`${delta({}, 'stop')}${chunk({ choices: [], usage: STEPS_USAGE })}data: [DONE]\n\n`);
};

/** A stream that stops before its end until it is told to go on. */
export function pausedStream(): { script: Script; goOn: () => void } {
  let goOn = () => {};
  const told = new Promise<void>((resolve) => (goOn = resolve));
  const script: Script = async (seen, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ content: 'first ' }));
    await told;
    if (response.destroyed) return;
    seen.billed = STEPS_USAGE;
    response.write(delta({ content: 'last' }));
    response.end(`${delta({}, 'stop')}${chunk({ choices: [], usage: STEPS_USAGE })}data: [DONE]\n\n`);
  };
  return { script, goOn };
}

/** A whole answer, streamed or not, that is not begun before it is told to. */
export function pausedAnswer(): { script: Script; goOn: () => void } {
  let goOn = () => {};
  const told = new Promise<void>((resolve) => (goOn = resolve));
  const script: Script = async (seen, response) => {
    await told;
    if (!response.destroyed) await answerInSteps(seen, response);
  };
  return { script, goOn };
}
