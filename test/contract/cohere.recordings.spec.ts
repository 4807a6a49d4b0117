import { cohere } from '../../src/dialects/cohere/index.js';
import { eventsOf, expectedSummary, recordings, responseOf, rows, summary } from './recordings.js';

const all = recordings(({ provider, api }) => provider === 'cohere' && api === 'v2/chat');
const answered = all.filter(({ http_status }) => http_status === 200);

const crlf = (bytes: Buffer) => Buffer.from(bytes.toString().replace(/\r?\n/g, '\r\n'));
const commented = (bytes: Buffer) => Buffer.from(bytes.toString().replace(/(\r?\n)(\r?\n)/g, '$1$2: keepalive$1$2'));
const unended = (bytes: Buffer) => Buffer.from(bytes.toString().trimEnd());

describe('recorded Cohere traffic', () => {
  test.each(rows(answered.filter(({ stream }) => !stream)))('%s says what it says', (_id, one) => {
    if (one) expect(summary(cohere.decodeAnswer(responseOf(one), {}))).toEqual(expectedSummary(one));
  });

  test.each(rows(answered.filter(({ stream }) => stream)))('%s says the same in pieces of any size', (_id, one) => {
    if (!one) return;
    const bytes = responseOf(one);
    for (const variant of [bytes, crlf(bytes), commented(bytes), unended(bytes)])
      for (const size of [1, 2, 3, 7, 16, 1024, variant.length]) {
        const { events, complete } = eventsOf(cohere, variant, size);
        expect(complete).toBe(true);
        expect(summary(events)).toEqual(expectedSummary(one));
      }
  });

  test.each(rows(answered.filter(({ stream }) => stream)))('%s cut before its last event is not complete', (_id, one) => {
    if (!one) return;
    const text = responseOf(one).toString().trimEnd();
    const cut = text.slice(0, Math.max(text.indexOf('event: message-end'), 0));
    const { events, complete } = eventsOf(cohere, Buffer.from(cut), 16);
    expect(complete).toBe(false);
    expect(events.some(({ type }) => type === 'finish')).toBe(false);
  });
});
