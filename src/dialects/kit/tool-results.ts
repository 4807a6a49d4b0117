import type { ToolCallPart, ToolTurn, Turn } from '../canonical.js';
import { invalidMessages } from './fields.js';

/** A call of an assistant turn and what came of it. */
export interface ResultOfCall {
  call: ToolCallPart;
  result: ToolTurn;
}

/**
 * The results of an assistant turn's calls, in the order of the calls. Providers refuse calls without results and results without calls, and
 * nothing may be made up.
 * @param at index of the assistant turn.
 * @throws WeirError invalid_request naming the call.
 */
export function resultsOf(turns: readonly Turn[], at: number): ResultOfCall[] {
  const turn = turns[at];
  const calls = turn?.role === 'assistant' ? turn.parts.filter((part) => part.type === 'tool_call') : [];
  const results = followingResults(turns, at);
  const orphan = results.find(({ callId }) => !calls.some(({ id }) => id === callId));
  if (orphan)
    throw invalidMessages(
      `The tool result for "${orphan.callId}" answers no call of the assistant message before it. Send the call too, or drop it.`,
    );
  return calls.map((call) => {
    const place = results.findIndex(({ callId }) => callId === call.id);
    if (place === -1) throw invalidMessages(`The tool call "${call.id}" has no result. Send one right after the assistant message.`);
    const [result] = results.splice(place, 1);
    return { call, result: result! };
  });
}

/** System turns may come between an assistant turn and the results. */
function followingResults(turns: readonly Turn[], at: number): ToolTurn[] {
  const results: ToolTurn[] = [];
  for (const turn of turns.slice(at + 1)) {
    if (turn.role === 'tool') results.push(turn);
    else if (turn.role !== 'system') break;
  }
  return results;
}
