import type { Tool } from '../canonical.js';
import type { CallRequest } from '../dialect.js';
import { Fields } from '../kit/fields.js';
import { sameName } from '../kit/tool-names.js';
import { CALL_FORMS, type CallKind, callKindOf } from './client-calls.js';

/** A tool that the client runs, as the client knows it. */
export interface ClientTool {
  kind: CallKind;
  name: string;
  /** Codex groups the tools of each MCP server under one. */
  namespace: string | null;
}

/** Lists of tools: of the request, of items that add some, and of what the client found for a model that searched. */
const HOLDERS = new Set(['additional_tools', 'tool_search_output']);

/** All tools of a request. Other formats know no namespaces: there a tool has both names in one. */
export class ClientTools {
  /** As functions, in the client's order. */
  readonly offered: Tool[] = [];
  /** Types of the tools that only the client's own provider could run. */
  readonly hosted = new Set<string>();
  private readonly byOffered = new Map<string, ClientTool>();
  private readonly offeredBy = new Map<string, string>();

  /** @throws WeirError invalid_request naming the field. */
  constructor(request: Fields) {
    const input = Array.isArray(request.values['input']) ? request.entries('input') : [];
    const holders = [request, ...input.filter((item) => HOLDERS.has(item.textOrNull('type') ?? ''))];
    const found = holders.flatMap((holder) => holder.entries('tools'));
    // A plain name is kept as it is: a name made of two gives way.
    for (const tool of found) if (tool.textOrNull('type') !== 'namespace') this.add(tool, null);
    for (const group of found) if (group.textOrNull('type') === 'namespace') this.addNamespace(group);
  }

  /** What a tool is called in a request to the provider. */
  offeredName(name: string, namespace: string | null): string {
    return this.offeredBy.get(keyOf(name, namespace)) ?? joined(name, namespace);
  }

  /** The tools of a namespace, as they are offered. */
  inNamespace(namespace: string): string[] {
    return [...this.byOffered].filter(([, tool]) => tool.namespace === namespace).map(([offered]) => offered);
  }

  /** The tool that a model means. Some say the bare name of one in a namespace. */
  called(name: string): ClientTool {
    const known = this.byOffered.get(name);
    if (known) return known;
    const bare = [...this.byOffered.values()].filter((tool) => tool.name === name);
    return bare.length === 1 ? bare[0]! : { kind: 'function', name, namespace: null };
  }

  private addNamespace(group: Fields): void {
    const namespace = group.text('name');
    const about = group.written('description');
    group.entries('tools').forEach((tool, index) => {
      if (tool.textOrNull('type') === 'namespace') throw tool.refuse('type', 'must not be a namespace within a namespace');
      const offered = this.add(tool, namespace);
      // Said once: it is the same for all of them.
      if (offered && about !== null && index === 0)
        offered.description = [offered.description ?? '', `About ${namespace}: ${about}`].join('\n\n').trim();
    });
  }

  private add(tool: Fields, namespace: string | null): Tool | null {
    const kind = callKindOf(tool);
    if (kind === null) {
      this.hosted.add(tool.text('type'));
      return null;
    }
    const name = kind === 'function' || kind === 'custom' ? tool.text('name') : kind;
    const known = this.offeredBy.get(keyOf(name, namespace));
    if (known !== undefined && this.byOffered.get(known)!.kind !== kind) throw sameName(name);
    const offered: Tool = { name: known ?? this.freeName(joined(name, namespace)), ...CALL_FORMS[kind].offer(tool) };
    this.byOffered.set(offered.name, { kind, name, namespace });
    this.offeredBy.set(keyOf(name, namespace), offered.name);
    // The last definition of a tool counts: providers refuse a name that is there twice.
    if (known === undefined) this.offered.push(offered);
    else this.offered[this.offered.findIndex((one) => one.name === known)] = offered;
    return offered;
  }

  private freeName(wanted: string): string {
    let name = wanted;
    for (let n = 2; this.byOffered.has(name); n++) name = `${wanted}_${n}`;
    return name;
  }
}

const keyOf = (name: string, namespace: string | null): string => JSON.stringify([namespace, name]);

const joined = (name: string, namespace: string | null): string =>
  namespace === null ? name : `${namespace}${namespace.endsWith('__') ? '' : '__'}${name}`;

const read = new WeakMap<CallRequest, ClientTools>();

/** The tools of a request, read once. @throws WeirError invalid_request naming the field. */
export function clientToolsOf(prompt: CallRequest): ClientTools {
  let tools = read.get(prompt);
  if (!tools) {
    tools = new ClientTools(Fields.of(prompt.body, ''));
    read.set(prompt, tools);
  }
  return tools;
}
