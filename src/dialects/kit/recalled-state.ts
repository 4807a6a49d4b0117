import { createHash, type Hash } from 'node:crypto';
import type { AssistantTurn, Conversation, ReasoningPart, ReplyEvent, ToolCallPart } from '../canonical.js';
import type { AnswerState, StateMemory } from '../dialect.js';
import { addState, emptyReasoning } from './reasoning-part.js';

interface SeenAnswer {
  blocks: Map<number, ReasoningPart>;
  calls: { id: string; signature: string | null }[];
}

/**
 * Puts the state of reasoning back where a client dropped it, and remembers that of the answer. State is bound to what came before it, so it is
 * found by the whole conversation up to an answer and by the ids of the calls in it: where anything else was said, it is not.
 */
export class RecalledState {
  readonly conversation: Conversation;
  /** Of what was put back. */
  bytes = 0;
  private readonly said: Hash;
  private readonly answers = new Map<number, SeenAnswer>();

  constructor(
    given: Conversation,
    private readonly memory: StateMemory,
  ) {
    this.said = createHash('sha256').update(textOf(given.tools));
    const turns = given.turns.map((turn) => {
      const whole = turn.role === 'assistant' ? this.complete(turn) : turn;
      this.said.update(textOf(whole));
      return whole;
    });
    this.conversation = { ...given, turns };
  }

  /** An event of the answer, as the client gets it. */
  readonly see = (event: ReplyEvent): void => {
    switch (event.type) {
      case 'reasoning':
        this.block(event).text += event.text;
        return;
      case 'reasoning_state':
        return addState(this.block(event), event);
      case 'tool_call':
        this.answer(event.choice).calls.push({ id: event.id ?? '', signature: event.signature ?? null });
        return;
      case 'finish':
        if (event.reason !== 'error') this.keep(this.answer(event.choice));
        return;
      case 'start':
      case 'text':
      case 'refusal':
      case 'arguments':
      case 'annotation':
      case 'image':
      case 'logprobs':
      case 'other':
      case 'usage':
        return;
    }
    event satisfies never;
  };

  private complete(turn: AssistantTurn): AssistantTurn {
    const calls = turn.parts.filter((part): part is ToolCallPart => part.type === 'tool_call');
    const state = calls.length > 0 ? this.memory.recall(this.keyOf(calls)) : null;
    if (!state || !lacks(turn, state)) return turn;
    this.bytes += bytesOf(state);
    const signatures = new Map(calls.map((call, index) => [call, state.signatures[index] ?? null]));
    const others = turn.parts.flatMap((part): AssistantTurn['parts'] => {
      // The same reasoning, without its state or with some of it.
      if (part.type === 'reasoning') return state.reasoning.length > 0 ? [] : [part];
      if (part.type !== 'tool_call') return [part];
      const signature = signatures.get(part);
      return [signature ? { ...part, signature } : part];
    });
    return { ...turn, parts: [...state.reasoning, ...others] };
  }

  private keep({ blocks, calls }: SeenAnswer): void {
    const state: AnswerState = {
      reasoning: [...blocks.values()].filter(hasState),
      signatures: calls.map(({ signature }) => signature),
    };
    const isWorth = state.reasoning.length > 0 || calls.some(({ signature }) => signature !== null);
    if (calls.length > 0 && isWorth) this.memory.keep(this.keyOf(calls), state, bytesOf(state));
  }

  private keyOf(calls: readonly { id: string }[]): string {
    const ids = textOf(calls.map(({ id }) => id));
    return this.said.copy().update(ids).digest('base64');
  }

  private answer(choice: number): SeenAnswer {
    const answer = this.answers.get(choice) ?? { blocks: new Map(), calls: [] };
    this.answers.set(choice, answer);
    return answer;
  }

  private block({ choice, block }: { choice: number; block: number }): ReasoningPart {
    const { blocks } = this.answer(choice);
    const part = blocks.get(block) ?? emptyReasoning();
    blocks.set(block, part);
    return part;
  }
}

const hasState = (part: AssistantTurn['parts'][number]): boolean =>
  (part.type === 'reasoning' && part.origin !== null) || (part.type === 'tool_call' && part.signature !== undefined);

/** Something is missing, and what is there is of the same. Some clients keep the last of several blocks only. */
function lacks({ parts }: AssistantTurn, { reasoning, signatures }: AnswerState): boolean {
  const known = [...reasoning.flatMap(wordsOf), ...signatures.filter((signature) => signature !== null)];
  const own = parts.flatMap(wordsOf);
  return own.length < known.length && own.every((word) => known.includes(word));
}

/** What a part has of state. */
const wordsOf = (part: AssistantTurn['parts'][number]): string[] => {
  if (part.type === 'tool_call') return part.signature === undefined ? [] : [part.signature];
  return part.type === 'reasoning' && part.origin !== null ? [part.signature ?? part.redacted ?? part.id ?? ''] : [];
};

const bytesOf = (state: AnswerState): number => Buffer.byteLength(JSON.stringify(state));

/** Marks for the cache move on from turn to turn, and bind nothing. */
const textOf = (said: unknown): string => JSON.stringify(said, (name, value) => (name === 'cache' ? undefined : value));
