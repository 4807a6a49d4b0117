import { noFacts } from '../dialects/index.js';
import type { Elapsed } from '../kernel/elapsed.js';
import type { Id } from '../kernel/ids.js';
import type { SentMarks } from '../ledger/index.js';
import { InFlightCall } from './in-flight.js';
import type { Reply } from './reply.js';

const LIMIT = 1_000;

/** A call in flight, of which so many tokens were seen. */
function flightThat({ isMetered = true } = {}) {
  const marked = new Set<number>();
  const mark = () => {
    marked.add(marked.size);
    return marked.size - 1;
  };
  const facts = noFacts();
  const outrun: number[] = [];
  const flight = new InFlightCall(
    'call' as Id,
    {} as Reply,
    { mark, erase: (slot: number) => marked.delete(slot), clear: () => {} } as unknown as SentMarks,
    { ms: () => 0 } as Elapsed,
    1_000,
    (_, seen) => (isMetered ? { inputTokens: 1, outputTokens: seen, amount: BigInt(seen) } : null),
    () => outrun.push(facts.outputPieces),
  );
  const send = () => flight.sending(() => ({ facts, reader: null, effort: null }), LIMIT);
  send();
  const saw = (tokens: number) => {
    facts.outputPieces = tokens;
    flight.progressed();
  };
  return { flight, saw, outrun, send, marked };
}

test('what is noted of a call is ahead of what its client got, by twice its pace, and never above its limit', () => {
  const { flight, saw } = flightThat();
  saw(10);
  expect(flight.checkpoint()).toMatchObject({ outputTokens: 30 });
  saw(15);
  expect(flight.checkpoint()).toMatchObject({ outputTokens: 25 });
  expect(flight.checkpoint()).toMatchObject({ outputTokens: 15 });
  saw(900);
  expect(flight.checkpoint()).toMatchObject({ outputTokens: LIMIT });
});

test('a call whose answer is ahead of its note is noted again at once; one of which nothing was noted yet is not', () => {
  const { flight, saw, outrun } = flightThat();
  saw(10);
  expect(outrun).toEqual([]);
  flight.checkpoint();
  saw(30);
  expect(outrun).toEqual([]);
  saw(31);
  expect(outrun).toEqual([31]);
  flight.checkpoint();
  saw(73);
  saw(74);
  expect(outrun).toEqual([31, 74]);
  flight.checkpoint();
  flight.checkpoint();
  saw(LIMIT);
  flight.checkpoint();
  saw(LIMIT + 1);
  expect(outrun).toEqual([31, 74, LIMIT]);
});

test('a call that is booked for all that is held has nothing to note, however much came', () => {
  const { flight, saw, outrun } = flightThat({ isMetered: false });
  expect(flight.checkpoint()).toBeNull();
  saw(500);
  expect(outrun).toEqual([]);
});

test('a call whose request was refused at no cost is marked as sent no more, until its next attempt is', () => {
  const { flight, send, marked } = flightThat();
  expect([flight.sent, marked.size]).toEqual([true, 1]);
  flight.takenBack();
  expect([flight.sent, marked.size]).toEqual([false, 0]);
  send();
  expect([flight.sent, marked.size]).toEqual([true, 1]);
});
