import type { Turn } from '../canonical.js';

/**
 * Some providers number the calls of each reply anew, where others refuse a conversation in which an id stands for two calls. Such a call and its
 * result get another id, the same for the same conversation.
 */
export function withUniqueCalls(turns: Turn[]): Turn[] {
  const used = new Set<string>();
  /** New ids of the calls that may still be answered, by their old one. */
  const open = new Map<string, string[]>();
  return turns.map((turn) => {
    if (turn.role === 'tool') {
      const ids = open.get(turn.callId) ?? [];
      const callId = (ids.length > 1 ? ids.shift() : ids[0]) ?? turn.callId;
      return callId === turn.callId ? turn : { ...turn, callId };
    }
    if (turn.role !== 'assistant') return turn;
    const own = new Map<string, string[]>();
    const parts = turn.parts.map((part) => {
      if (part.type !== 'tool_call') return part;
      const id = freeId(part.id, used);
      own.set(part.id, [...(own.get(part.id) ?? []), id]);
      return id === part.id ? part : { ...part, id };
    });
    for (const [id, ids] of own) open.set(id, ids);
    return parts.some((part, at) => part !== turn.parts[at]) ? { ...turn, parts } : turn;
  });
}

/** The ids of the calls in a conversation. */
export const callIdsIn = (turns: readonly Turn[]): Set<string> =>
  new Set(
    turns.flatMap((turn) => (turn.role === 'assistant' ? turn.parts.flatMap((part) => (part.type === 'tool_call' ? part.id : [])) : [])),
  );

function freeId(id: string, used: Set<string>): string {
  let free = id;
  for (let n = 2; used.has(free); n++) free = `${id}_${n}`;
  used.add(free);
  return free;
}
