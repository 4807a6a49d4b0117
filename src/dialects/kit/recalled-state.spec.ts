import { assistant, call, conversation, result, system, tool, user } from '../../../test/support/conversations.js';
import type { AssistantTurn, Conversation, ReasoningPart, ReplyEvent } from '../canonical.js';
import type { AnswerState, StateMemory } from '../dialect.js';
import { RecalledState } from './recalled-state.js';

class Memory implements StateMemory {
  readonly kept = new Map<string, AnswerState>();
  readonly recall = (key: string) => this.kept.get(key) ?? null;
  readonly keep = (key: string, state: AnswerState) => void this.kept.set(key, state);
}

const THOUGHT: ReasoningPart = { type: 'reasoning', text: 'Hm', origin: 'anthropic', signature: 'S', redacted: null, id: null };
const FINISH: ReplyEvent = { type: 'finish', choice: 0, reason: 'tool_calls', native: null };
const STATE: ReplyEvent[] = [
  { type: 'reasoning', choice: 0, block: 0, text: 'H' },
  { type: 'reasoning', choice: 0, block: 0, text: 'm' },
  { type: 'reasoning_state', choice: 0, block: 0, origin: 'anthropic', signature: 'S', redacted: null, id: null },
];
const called = (id: string, signature?: string): ReplyEvent => ({
  type: 'tool_call',
  choice: 0,
  call: 0,
  id,
  name: 'f',
  ...(signature !== undefined && { signature }),
});

const asked = (...turns: Conversation['turns']): Conversation => conversation({ turns, tools: [tool('f')] });
const QUESTION = [system('Be brief.'), user('Hi')];

/** The memory after an answer to a conversation. */
function after(given: Conversation, events: ReplyEvent[], memory = new Memory()): Memory {
  const recalled = new RecalledState(given, memory);
  for (const event of events) recalled.see(event);
  return memory;
}

const partsAt = (given: Conversation, memory: Memory, turn: number): AssistantTurn['parts'] =>
  (new RecalledState(given, memory).conversation.turns[turn] as AssistantTurn).parts;

test('the state of an answer is put back, once it is whole', () => {
  const next = asked(...QUESTION, assistant('Let me see.', call('c1', 'f')), result('c1', 'x'));
  expect(partsAt(next, after(asked(...QUESTION), [...STATE, called('c1')]), 2)).toHaveLength(2);

  const memory = after(asked(...QUESTION), [...STATE, called('c1'), FINISH]);
  expect(partsAt(next, memory, 2)).toEqual([THOUGHT, { type: 'text', text: 'Let me see.' }, call('c1', 'f')]);
  expect(new RecalledState(next, memory).bytes).toBeGreaterThan(0);
});

test("a call's own signature is put back on it, and plain reasoning gives way to that with state", () => {
  const memory = after(asked(...QUESTION), [...STATE, called('c1', 'G'), called('c2'), FINISH]);
  const plain: ReasoningPart = { ...THOUGHT, origin: null, signature: null };
  const next = asked(...QUESTION, assistant(plain, call('c1', 'f'), call('c2', 'f')), result('c1', 'x'), result('c2', 'y'));
  expect(partsAt(next, memory, 2)).toEqual([THOUGHT, { ...call('c1', 'f'), signature: 'G' }, call('c2', 'f')]);
});

test('what the client sends back itself stays as it is', () => {
  const memory = after(asked(...QUESTION), [...STATE, called('c1'), FINISH]);
  const own = { ...THOUGHT, signature: 'of the client' };
  expect(partsAt(asked(...QUESTION, assistant(own, call('c1', 'f'))), memory, 2)).toEqual([own, call('c1', 'f')]);
});

test('of several blocks a client may keep the last only', () => {
  const second: ReplyEvent = {
    type: 'reasoning_state',
    choice: 0,
    block: 1,
    origin: 'anthropic',
    signature: null,
    redacted: 'R',
    id: null,
  };
  const memory = after(asked(...QUESTION), [...STATE, second, called('c1'), FINISH]);
  const redacted: ReasoningPart = { ...THOUGHT, text: '', signature: null, redacted: 'R' };
  const whole = [THOUGHT, redacted, call('c1', 'f')];
  expect(partsAt(asked(...QUESTION, assistant(redacted, call('c1', 'f'))), memory, 2)).toEqual(whole);
  const kept = new RecalledState(asked(...QUESTION, assistant(...whole)), memory);
  expect([kept.conversation.turns[2], kept.bytes]).toEqual([assistant(...whole), 0]);
});

describe('state is bound to what came before it', () => {
  const memory = after(asked(...QUESTION), [...STATE, called('c1'), FINISH]);
  const turn = assistant(call('c1', 'f'));
  const marked = { ...user('Hi'), parts: [{ type: 'text' as const, text: 'Hi', cache: { ttl: '5m' as const } }] };

  test.each<[string, Conversation, boolean]>([
    ['the same', asked(...QUESTION, turn), true],
    ['a mark for the cache more', asked(QUESTION[0]!, marked, turn), true],
    ['another instruction', asked(system('Be long.'), user('Hi'), turn), false],
    ['a turn less', asked(user('Hi'), turn), false],
    ['another tool', conversation({ turns: [...QUESTION, turn], tools: [tool('g')] }), false],
    ['a call less', asked(...QUESTION, assistant(call('c2', 'f'))), false],
  ])('%s', (_name, given, found) => expect(partsAt(given, memory, given.turns.length - 1)).toHaveLength(found ? 2 : 1));
});

test('a later answer has its state only where the earlier ones have theirs', () => {
  const first = asked(...QUESTION);
  const second = asked(...QUESTION, assistant(call('c1', 'f')), result('c1', 'x'));
  const third = asked(...second.turns, assistant(call('c2', 'f')), result('c2', 'y'));
  const memory = after(first, [...STATE, called('c1'), FINISH]);
  const [earlier] = memory.kept.keys();
  after(second, [...STATE, called('c2'), FINISH], memory);
  expect([partsAt(third, memory, 2), partsAt(third, memory, 4)]).toMatchObject([
    [THOUGHT, {}],
    [THOUGHT, {}],
  ]);

  memory.kept.delete(earlier!);
  expect([partsAt(third, memory, 2), partsAt(third, memory, 4)]).toMatchObject([[{ type: 'tool_call' }], [{ type: 'tool_call' }]]);
});

test.each<[string, ReplyEvent[]]>([
  ['failed', [...STATE, called('c1'), { ...FINISH, reason: 'error' }]],
  ['called nothing', [...STATE, { ...FINISH, reason: 'stop' }]],
  ['has no state', [STATE[0]!, called('c1'), FINISH]],
])('nothing is kept of an answer that %s', (_name, events) => expect(after(asked(...QUESTION), events).kept.size).toBe(0));
