import type { GeminiRules } from '../../model-rules/index.js';
import type { AssistantTurn, Conversation, SystemTurn, ToolTurn, Turn, UserTurn } from '../canonical.js';
import { argumentsObject } from '../kit/call-arguments.js';
import { invalidMessages } from '../kit/fields.js';
import { InnerValues } from '../kit/inner-json.js';
import type { JsonObject } from '../kit/json.js';
import type { ToolNames } from '../kit/tool-names.js';
import { type ResultOfCall, resultsOf } from '../kit/tool-results.js';
import { filePart, type GeminiPart, isAnswerable } from './files.js';

interface Content {
  role: 'user' | 'model';
  parts: GeminiPart[];
}

/** The turns of a conversation as Gemini takes them: what instructs, and what was said by either side in turn. */
export interface Contents {
  instruction: GeminiPart[];
  contents: Content[];
}

/** Google's own word for calls that come from another model and so have no signature. */
const FOREIGN_CALL = 'skip_thought_signature_validator';

/** Writes the turns. @throws WeirError invalid_request when one cannot be said. */
export function encodeTurns({ turns }: Conversation, family: GeminiRules, names: ToolNames, warn: (warning: string) => void): Contents {
  const firstOther = turns.findIndex(({ role }) => role !== 'system');
  const leading = (firstOther === -1 ? turns : turns.slice(0, firstOther)) as SystemTurn[];
  const instruction = leading.flatMap(({ parts }) => textParts(parts));
  const writer = new TurnWriter(family, names, warn);
  // A model without instructions reads them first; one that gets nothing else needs a turn to answer.
  const spoken = !family.systemInstruction || leading.length === turns.length;
  if (spoken && instruction.length > 0) writer.add('user', instruction);
  for (let at = leading.length; at < turns.length; at++) writer.write(turns, at);
  return { instruction: spoken ? [] : instruction, contents: writer.contents };
}

class TurnWriter {
  readonly contents: Content[] = [];
  private readonly answered = new Set<ToolTurn>();
  private readonly results = new InnerValues();

  constructor(
    private readonly family: GeminiRules,
    private readonly names: ToolNames,
    private readonly warn: (warning: string) => void,
  ) {}

  write(turns: readonly Turn[], at: number): void {
    const turn = turns[at]!;
    switch (turn.role) {
      case 'system':
        // Only the first turns instruct; later ones stay where they are, so that the prefix stays the same.
        return this.add('user', textParts(turn.parts).map(asSystem));
      case 'user':
        return this.add('user', this.userParts(turn));
      case 'assistant':
        this.add('model', this.modelParts(turn));
        return this.addResults(resultsOf(turns, at));
      case 'tool':
        if (!this.answered.has(turn))
          throw invalidMessages(`The tool result for "${turn.callId}" answers no call. Send the call before it, or drop it.`);
    }
  }

  /** Neighboring turns of one side are one. */
  add(role: Content['role'], parts: GeminiPart[]): void {
    if (parts.length === 0) return;
    const last = this.contents.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    else this.contents.push({ role, parts });
  }

  private userParts({ parts }: UserTurn): GeminiPart[] {
    const written = parts
      .filter((part) => part.type !== 'text' || part.text !== '')
      .map((part) => (part.type === 'text' ? { text: part.text } : filePart(part, this.family)));
    // A turn is accepted with an empty text, and not without parts.
    return written.length > 0 ? written : [{ text: '' }];
  }

  private modelParts({ parts }: AssistantTurn): GeminiPart[] {
    const turn = new ModelTurn(this.family.signedCalls);
    for (const part of parts) {
      switch (part.type) {
        case 'text':
        case 'refusal':
          turn.addText(part.text);
          break;
        case 'reasoning':
          if (part.origin === 'gemini' && part.signature !== null) turn.addThought(part.text, part.signature);
          break;
        case 'tool_call': {
          const { value: args, repaired } = argumentsObject(part.arguments);
          if (repaired) this.warn(`The arguments of the tool call "${part.id}" are no JSON object and were sent as "raw_arguments".`);
          turn.addCall({ id: part.id, name: this.names.sent(part.name), args }, part.signature);
          break;
        }
      }
    }
    return turn.written();
  }

  /** All results of a turn's calls come first in the one turn that answers it; files that a result cannot hold stand after them. */
  private addResults(results: ResultOfCall[]): void {
    for (const { result } of results) this.answered.add(result);
    const answers = results.map((result) => this.answer(result));
    this.add(
      'user',
      answers.map(({ response }) => response),
    );
    this.add(
      'user',
      answers.flatMap(({ beside }) => beside),
    );
  }

  /** A function's response must be an object. */
  private responseOf(text: string, isError: boolean): JsonObject {
    return isError ? { error: text } : (this.results.objectIn(text) ?? { result: text });
  }

  private answer({ call, result }: ResultOfCall): { response: GeminiPart; beside: GeminiPart[] } {
    const text = result.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
    const files = result.parts.flatMap((part) => (part.type === 'text' ? [] : [filePart(part, this.family)]));
    const inside = this.family.filesInResults ? files.filter(isAnswerable) : [];
    const response = {
      functionResponse: {
        id: call.id,
        name: this.names.sent(call.name),
        response: this.responseOf(text, result.isError),
        ...(inside.length > 0 && { parts: inside }),
      },
    };
    return { response, beside: files.filter((file) => !inside.includes(file)) };
  }
}

/** The parts of one turn of the model, each signature on the part it belongs to. */
class ModelTurn {
  private readonly parts: GeminiPart[] = [];
  /** The last text, while nothing came after it. */
  private lastText: GeminiPart | null = null;
  /** Of a text that is yet to come. */
  private signature: string | null = null;
  private called = false;

  constructor(private readonly signedCalls: boolean) {}

  addText(text: string): void {
    if (text === '') return;
    this.lastText = { text, ...(this.signature !== null && { thoughtSignature: this.signature }) };
    this.parts.push(this.lastText);
    this.signature = null;
  }

  /** Without text of its own the signature is one of the answer's text, whichever of the two the client tells first. */
  addThought(text: string, signature: string): void {
    if (text !== '') this.parts.push({ text, thought: true, thoughtSignature: signature });
    else if (this.lastText && this.lastText['thoughtSignature'] === undefined) this.lastText['thoughtSignature'] = signature;
    else {
      this.flush();
      this.signature = signature;
    }
  }

  /** Of calls made at once the first is signed. */
  addCall(functionCall: { id: string; name: string; args: unknown }, signature: string | undefined): void {
    this.flush();
    const thoughtSignature = signature ?? (this.signedCalls && !this.called ? FOREIGN_CALL : undefined);
    this.parts.push({ functionCall, ...(thoughtSignature !== undefined && { thoughtSignature }) });
    this.called = true;
    this.lastText = null;
  }

  written(): GeminiPart[] {
    this.flush();
    return this.parts;
  }

  /** A signature may stand on an empty text. */
  private flush(): void {
    if (this.signature !== null) this.parts.push({ text: '', thoughtSignature: this.signature });
    this.signature = null;
  }
}

const textParts = (parts: SystemTurn['parts']): { text: string }[] => parts.filter(({ text }) => text !== '').map(({ text }) => ({ text }));

const asSystem = ({ text }: { text: string }): GeminiPart => ({ text: `<system>\n${text}\n</system>` });
