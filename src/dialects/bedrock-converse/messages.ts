import type { BedrockRules } from '../../model-rules/index.js';
import type { AssistantTurn, CacheMark, FilePart, ImagePart, SystemTurn, ToolTurn, Turn, UserTurn } from '../canonical.js';
import { argumentsObject } from '../kit/call-arguments.js';
import { nineCharacterCallId, plainCallId } from '../kit/call-ids.js';
import { invalidMessages } from '../kit/fields.js';
import { InnerValues } from '../kit/inner-json.js';
import type { ToolNames } from '../kit/tool-names.js';
import { resultsOf } from '../kit/tool-results.js';
import { hearsAudio, Unsupported } from '../kit/unsupported.js';
import { type Block, cachePoint, documentBlock, imageBlock, isDocument, isText, type Message } from './blocks.js';

/** Stands for a tool's result that is empty: Bedrock refuses one without content. */
const NO_OUTPUT = '(no output)';
/** The least turns that Bedrock wants where the client has none. */
const FIRST_USER_TURN: Message = { role: 'user', content: [{ text: '(The conversation begins with your message.)' }] };
const BETWEEN_RESULTS_AND_REST: Message = { role: 'assistant', content: [{ text: 'I have the results.' }] };
const BESIDE_DOCUMENT: Block = { text: '(See the attached document.)' };

export interface RenderedTurns {
  system: Block[];
  messages: Message[];
}

/** A message while its blocks are gathered: results stand first, however the turns came. */
interface Draft {
  role: Message['role'];
  results: Block[];
  blocks: Block[];
}

/** Writes the turns of one conversation as Converse wants them. */
export class TurnWriter {
  private readonly drafts: Draft[] = [];
  private documents = 0;
  private readonly results = new InnerValues();

  constructor(
    private readonly rules: BedrockRules,
    private readonly names: ToolNames,
    /** Takes a sentence for the client. */
    private readonly warn: (warning: string) => void,
  ) {}

  /** @throws WeirError invalid_request when there is nothing to answer, or a call lacks its result. */
  write(turns: readonly Turn[]): RenderedTurns {
    const lead = turns.findIndex((turn) => turn.role !== 'system');
    const leading = (lead === -1 ? turns : turns.slice(0, lead)) as SystemTurn[];
    const system = leading.flatMap((turn) => this.texts(turn.parts));
    turns.forEach((turn, index) => {
      if (lead !== -1 && index >= lead) this.add(turn, turns, index);
    });
    const messages = this.drafts
      .filter(({ results, blocks }) => results.length + blocks.length > 0)
      .flatMap((draft) => this.messages(draft));
    if (messages.length > 0) return { system, messages: this.withEnds(messages) };
    if (!system.some(isText)) throw invalidMessages('There is no text to answer. Send at least one message that is not empty.');
    return { system: [], messages: [{ role: 'user', content: system }] };
  }

  private add(turn: Turn, turns: readonly Turn[], index: number): void {
    switch (turn.role) {
      case 'system':
        // Only what stands at the top is an instruction to Bedrock; moved there, this one would change what it refers to.
        this.draft('user').blocks.push(...this.texts(turn.parts.map((part) => ({ ...part, text: `<system>${part.text}</system>` }))));
        return;
      case 'user':
        this.draft('user').blocks.push(...turn.parts.flatMap((part) => this.userBlocks(part)));
        return;
      case 'tool':
        requireCalls(turn, turns.slice(0, index));
        this.addResult(turn);
        return;
      case 'assistant':
        resultsOf(turns, index);
        this.draft('assistant').blocks.push(...turn.parts.flatMap((part) => this.assistantBlocks(part)));
    }
  }

  /** Bedrock wants the roles in turn: neighbors of one role become one message. */
  private draft(role: Message['role']): Draft {
    const last = this.drafts.findLast(({ results, blocks }) => results.length + blocks.length > 0);
    if (last?.role === role) return last;
    const draft: Draft = { role, results: [], blocks: [] };
    this.drafts.push(draft);
    return draft;
  }

  private texts(parts: SystemTurn['parts']): Block[] {
    return parts.filter(({ text }) => !isBlank(text)).flatMap(({ text, cache }) => this.cached([{ text }], cache));
  }

  private userBlocks(part: UserTurn['parts'][number]): Block[] {
    switch (part.type) {
      case 'text':
        return this.texts([part]);
      case 'image':
        return this.cached([imageBlock(part)], part.cache);
      case 'file':
        return this.cached([this.document(part)], part.cache);
      case 'audio':
        throw new Unsupported(
          'messages',
          'Bedrock does not take audio. Leave it out, or choose a model of a provider that takes it.',
          hearsAudio,
        );
    }
  }

  private assistantBlocks(part: AssistantTurn['parts'][number]): Block[] {
    switch (part.type) {
      case 'text':
        return this.texts([part]);
      case 'refusal':
        return this.texts([{ type: 'text', text: part.text }]);
      case 'reasoning':
        if (part.origin !== 'anthropic' || this.rules.thinking !== 'claude') return [];
        if (part.redacted !== null)
          return [{ reasoningContent: { redactedContent: Buffer.from(part.redacted, 'latin1').toString('base64') } }];
        return part.signature === null ? [] : [{ reasoningContent: { reasoningText: { text: part.text, signature: part.signature } } }];
      case 'tool_call': {
        const { value, repaired } = argumentsObject(part.arguments);
        if (repaired) this.warn(`The arguments of the tool call "${part.id}" are no JSON object and were sent as text.`);
        return this.cached([{ toolUse: { toolUseId: this.callId(part.id), name: this.names.sent(part.name), input: value } }], part.cache);
      }
    }
  }

  private addResult(turn: ToolTurn): void {
    const { rules } = this;
    const inside = (part: ToolTurn['parts'][number]): boolean => part.type === 'text' || (part.type === 'image' && rules.resultImages);
    const texts = turn.parts.flatMap((part) => (part.type === 'text' && !isBlank(part.text) ? [part.text] : []));
    const images = turn.parts.filter((part): part is ImagePart => part.type === 'image' && inside(part));
    const content = [...this.resultTexts(texts), ...images.map(imageBlock)];
    const beside = turn.parts.filter((part) => !inside(part)) as (ImagePart | FilePart)[];
    if (content.length === 0) content.push({ text: beside.length > 0 ? '(The result follows the tool results.)' : NO_OUTPUT });
    const status = turn.isError && rules.resultStatus ? { status: 'error' } : {};
    const draft = this.draft('user');
    draft.results.push(...this.cached([{ toolResult: { toolUseId: this.callId(turn.callId), content, ...status } }], turn.cache));
    draft.blocks.push(...beside.flatMap((part) => this.userBlocks(part)));
  }

  private resultTexts(texts: string[]): Block[] {
    if (this.rules.resultContent === 'text') return texts.map((text) => ({ text }));
    if (texts.length === 0) return [{ json: { result: NO_OUTPUT } }];
    const text = texts.join('\n\n');
    return [{ json: this.results.objectIn(text) ?? { result: text } }];
  }

  private document(part: FilePart): Block {
    this.documents++;
    return documentBlock(part, `Document ${this.documents}`);
  }

  /** A mark for the cache follows what is cached, and must stand behind text. */
  private cached(blocks: Block[], cache: CacheMark | undefined): Block[] {
    if (!cache || !this.rules.cachePoints.messages) return blocks;
    const bare = blocks.some((block) => 'image' in block || isDocument(block));
    return [...blocks, ...(bare ? [{ text: '\n' }] : []), cachePoint(cache)];
  }

  private callId(id: string): string {
    return this.rules.callIds === 'nine-alphanumerics' ? nineCharacterCallId(id) : plainCallId(id);
  }

  /** One message, or three where results may not stand beside the rest. */
  private messages({ role, results, blocks }: Draft): Message[] {
    if (blocks.some(isDocument) && !blocks.some(isText)) blocks.push(BESIDE_DOCUMENT);
    if (results.length === 0 || blocks.length === 0 || this.mayMix(blocks)) return [{ role, content: [...results, ...blocks] }];
    return [{ role, content: results }, BETWEEN_RESULTS_AND_REST, { role, content: blocks }];
  }

  private mayMix(blocks: Block[]): boolean {
    const { besideResults } = this.rules;
    return besideResults === 'anything' || (besideResults === 'no-documents' && !blocks.some(isDocument));
  }

  private withEnds(messages: Message[]): Message[] {
    const first = messages[0]?.role === 'assistant' && this.rules.userFirst ? [FIRST_USER_TURN] : [];
    const last = messages.at(-1)!;
    if (last.role === 'user') return [...first, ...messages];
    // A text that the model is to go on with must not end in blanks.
    const content = last.content.map((block, index) =>
      index === last.content.length - 1 && typeof block['text'] === 'string' ? { text: block['text'].trimEnd() } : block,
    );
    return [...first, ...messages.slice(0, -1), { role: 'assistant', content }];
  }
}

/** Results whose assistant turn has the calls are judged with it. */
function requireCalls({ callId }: ToolTurn, before: readonly Turn[]): void {
  if (before.findLast(({ role }) => role !== 'tool' && role !== 'system')?.role === 'assistant') return;
  throw invalidMessages(
    `The tool result for "${callId}" follows no assistant message with its call. Send that message too, or leave the result out.`,
  );
}

const isBlank = (text: string): boolean => text.trim() === '';
