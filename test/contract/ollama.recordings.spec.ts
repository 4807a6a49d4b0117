import { ollama } from '../../src/dialects/ollama/index.js';
import { assistant, call, conversation, result, rewrite } from '../support/conversations.js';
import { eventsOf, expectedSummary, recordings, requestOf, responseOf, rows, summary } from './recordings.js';

const all = recordings(({ provider, api, http_status }) => provider === 'ollama' && api === 'api/chat' && http_status === 200);
const streams = all.filter(({ stream }) => stream);

describe('recorded Ollama traffic', () => {
  test.each(rows(all.filter(({ stream }) => !stream)))('%s says what it says', (_id, one) => {
    if (one) expect(summary(ollama.decodeAnswer(responseOf(one), {}))).toEqual(expectedSummary(one));
  });

  test.each(rows(streams))('%s says the same in pieces of any size, with or without its last line end', (_id, one) => {
    if (!one) return;
    const bytes = responseOf(one);
    for (const variant of [bytes, Buffer.from(bytes.toString().trimEnd()), Buffer.from(bytes.toString().replaceAll('\n', '\r\n'))])
      for (const size of [1, 2, 3, 7, 16, 1024, variant.length]) {
        const { events, complete } = eventsOf(ollama, variant, size);
        expect(complete).toBe(true);
        expect(summary(events)).toEqual(expectedSummary(one));
      }
  });

  test.each(rows(streams))('%s cut before its last line is not complete', (_id, one) => {
    if (!one) return;
    const text = responseOf(one).toString().trimEnd();
    const { events, complete } = eventsOf(ollama, Buffer.from(text.slice(0, text.lastIndexOf('\n'))), 16);
    expect(complete).toBe(false);
    expect(events.some(({ type }) => type === 'finish')).toBe(false);
  });

  test.each(rows(all.filter(({ id }) => id === 'ollama/chat-tool-history')))('%s can be asked again', (_id, one) => {
    if (!one) return;
    const turns = [
      assistant(call('x', 'get_current_weather', '{"location":"San Francisco"}')),
      result('x', 'The weather in San Francisco is 70 degrees and sunny.'),
    ];
    const { model, messages } = requestOf(one) as { model: string; messages: object[] };
    const sent = JSON.parse(ollama.encodeRequest(conversation({ turns }), rewrite(model)).body);
    expect(sent).toMatchObject({ model, messages, stream: false });
  });
});
