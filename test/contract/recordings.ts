import type { Answer, ReplyEvent } from '../../src/dialects/canonical.js';
import { PLAIN_REPLY, type Upstream } from '../../src/dialects/dialect.js';
import { fold } from '../../src/dialects/kit/fold.js';
import { frameReader } from '../../src/dialects/kit/frames.js';
import { ReplyFilter } from '../../src/dialects/kit/reply-filter.js';
import { type Recording as Base, bytesOf, RECORDINGS } from '../support/recordings.js';

/** A recording, as formats see it: Cohere's models tell their plan for tools apart. */
export type Recording = Base & { source: { uri?: string }; expected: { tool_plan?: string | null; error: { message?: string } | null } };

/** Those a format has to read; none when there are no recordings. */
export const recordings = (fits: (one: Recording) => boolean): Recording[] => (RECORDINGS as readonly Recording[]).filter(fits);

export const responseOf = ({ files }: Recording): Buffer => bytesOf(files.response);

export const requestOf = ({ files }: Recording): Record<string, unknown> => JSON.parse(bytesOf(files.request!).toString());

/** A table for `test.each`, which wants at least one row. */
export const rows = (cases: Recording[]): [string, Recording | null][] =>
  cases.length > 0 ? cases.map((one) => [one.id, one]) : [['(the recorded provider traffic is absent)', null]];

/** The events of a stream that arrives in pieces of so many bytes. */
export function eventsOf(upstream: Upstream, bytes: Buffer, size: number): { events: ReplyEvent[]; complete: boolean } {
  const decoder = upstream.streamDecoder();
  const frames = frameReader(upstream.framing);
  const events: ReplyEvent[] = [];
  for (let at = 0; at < bytes.length; at += size)
    frames.push(bytes.subarray(at, at + size), (frame) => events.push(...decoder.push(frame)));
  frames.finish((frame) => events.push(...decoder.push(frame)));
  events.push(...decoder.end());
  return { events, complete: decoder.complete };
}

/** What a client gets to read of a reply. */
export function summary(events: ReplyEvent[]) {
  const filter = new ReplyFilter(PLAIN_REPLY, 'x');
  const answer = fold(events.flatMap((event) => filter.push(event)));
  const usage = events.findLast((event) => event.type === 'usage')?.usage ?? null;
  return {
    text: joined(answer, 'text'),
    reasoning: joined(answer, 'reasoning'),
    signatures: signaturesOf(answer),
    calls: callsOf(answer),
    finish: answer.choices[0]?.finish ?? null,
    usage: usage && { input: usage.input, cacheRead: usage.cacheRead, output: usage.output, reasoning: usage.reasoning },
  };
}

/** What it has to be. A plan for tools is state that goes back, and not for people. */
export function expectedSummary({ expected }: Recording): ReturnType<typeof summary> {
  const { usage } = expected;
  return {
    text: expected.text ?? '',
    reasoning: expected.reasoning_text ?? '',
    signatures: (expected.reasoning_signatures ?? 0) + (expected.tool_plan ? 1 : 0),
    calls: (expected.tool_calls ?? []).map((call) => ({ ...call, id: call.id ?? expect.any(String) })),
    finish: expected.finish_reason_openai as ReturnType<typeof summary>['finish'],
    usage: usage
      ? {
          input: usage.input_uncached!,
          cacheRead: usage.cache_read ?? 0,
          output: usage.output_total!,
          reasoning: usage.reasoning,
        }
      : null,
  };
}

function joined({ choices }: Answer, type: 'text' | 'reasoning'): string {
  return (choices[0]?.parts ?? []).map((part) => (part.type === type ? part.text : '')).join('');
}

function callsOf({ choices }: Answer): NonNullable<Recording['expected']['tool_calls']> {
  const calls = (choices[0]?.parts ?? []).filter((part) => part.type === 'tool_call');
  return calls.map(({ id, name, arguments: json }) => ({ id, name, arguments: JSON.parse(json) }));
}

function signaturesOf({ choices }: Answer): number {
  const parts = choices[0]?.parts ?? [];
  return parts.filter((part) => (part.type === 'reasoning' || part.type === 'tool_call') && part.signature != null).length;
}
