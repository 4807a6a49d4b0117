import { bedrockConverse } from '../../src/dialects/bedrock-converse/index.js';
import { ProviderRefusal } from '../../src/dialects/dialect.js';
import { eventsOf, expectedSummary, recordings, responseOf, rows, summary } from './recordings.js';

const APIS = ['converse', 'converse-stream'];
const all = recordings(({ provider, api }) => provider === 'bedrock' && APIS.includes(api));
const answered = all.filter(({ http_status, expected }) => http_status === 200 && !expected.error);
const streams = answered.filter(({ stream }) => stream);

describe('recorded Bedrock traffic', () => {
  test.each(rows(answered.filter(({ stream }) => !stream)))('%s says what it says', (_id, one) => {
    if (one) expect(summary(bedrockConverse.decodeAnswer(responseOf(one), {}))).toEqual(expectedSummary(one));
  });

  test.each(rows(streams))('%s says the same in pieces of any size', (_id, one) => {
    if (!one) return;
    const bytes = responseOf(one);
    for (const size of [1, 2, 3, 7, 16, 1024, bytes.length]) {
      const { events, complete } = eventsOf(bedrockConverse, bytes, size);
      expect(complete).toBe(true);
      expect(summary(events)).toEqual(expectedSummary(one));
    }
  });

  test.each(rows(streams))('%s cut within a frame is an error, cut before its stop is not complete', (_id, one) => {
    if (!one) return;
    const bytes = responseOf(one);
    expect(() => eventsOf(bedrockConverse, bytes.subarray(0, -1), 16)).toThrow();
    const { events, complete } = eventsOf(bedrockConverse, bytes.subarray(0, startOfFrame(bytes, 'messageStop')), 16);
    expect(complete).toBe(false);
    expect(events.some(({ type }) => type === 'finish')).toBe(false);
  });

  test.each(rows(all.filter(({ stream, expected }) => stream && expected.error)))('%s is a refusal within the stream', (_id, one) => {
    if (!one) return;
    expect(() => eventsOf(bedrockConverse, responseOf(one), 7)).toThrow(ProviderRefusal);
  });

  test.each(rows(all.filter(({ http_status }) => http_status !== 200)))('%s is a refusal with its sentence', (_id, one) => {
    if (!one) return;
    const { class: kind, message } = bedrockConverse.decodeRefusal(one.http_status, responseOf(one), {});
    expect(message).toBe(one.expected.error?.message);
    expect(['bad_request', 'model_not_found']).toContain(kind);
  });
});

/** Where the frame of this type begins. */
function startOfFrame(bytes: Buffer, type: string): number {
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    if (bytes.subarray(at, at + bytes.readUInt32BE(at)).includes(type)) return at;
  }
  throw new Error(`there is no ${type}`);
}
