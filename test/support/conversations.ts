import {
  type AssistantTurn,
  type Conversation,
  NO_SETTINGS,
  type Settings,
  type SystemTurn,
  type Tool,
  type ToolTurn,
  type UserTurn,
} from '../../src/dialects/canonical.js';
import type { UpstreamParams } from '../../src/dialects/dialect.js';

export const settings = (fields: Partial<Settings>): Settings => ({ ...NO_SETTINGS, ...fields });

/** A conversation that says nothing but what is given. */
export const conversation = (fields: Partial<Conversation>): Conversation => ({
  turns: [user('Hi')],
  tools: [],
  toolChoice: null,
  parallelToolCalls: null,
  format: null,
  settings: NO_SETTINGS,
  thinking: null,
  stream: false,
  choices: 1,
  endUser: null,
  leftOut: [],
  ...fields,
});

export const rewrite = (model: string, fields: Partial<UpstreamParams> = {}): UpstreamParams => ({
  model,
  maxOutputTokens: 4096,
  thinkingLevel: null,
  quirks: {},
  ...fields,
});

type UserPart = UserTurn['parts'][number];
type AssistantPart = AssistantTurn['parts'][number];
type ResultPart = ToolTurn['parts'][number];

const texts = <Part>(parts: (string | Part)[]): (Part | { type: 'text'; text: string })[] =>
  parts.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part));

export const system = (text: string): SystemTurn => ({ role: 'system', developer: false, parts: [{ type: 'text', text }] });
export const user = (...parts: (string | UserPart)[]): UserTurn => ({ role: 'user', parts: texts(parts) });
export const assistant = (...parts: (string | AssistantPart)[]): AssistantTurn => ({ role: 'assistant', parts: texts(parts) });
export const call = (id: string, name: string, args = '{}') => ({ type: 'tool_call' as const, id, name, arguments: args });
export const result = (callId: string, ...parts: (string | ResultPart)[]): ToolTurn => ({
  role: 'tool',
  callId,
  name: null,
  parts: texts(parts),
  isError: false,
});

export const tool = (name: string, fields: Partial<Tool> = {}): Tool => ({
  name,
  description: null,
  parameters: { type: 'object', properties: {} },
  strict: null,
  ...fields,
});

/** One pixel. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const image = (data = PNG, mediaType = 'image/png') => ({
  type: 'image' as const,
  source: { kind: 'base64' as const, mediaType, data },
});
export const pdf = (name = 'report.pdf') => ({
  type: 'file' as const,
  source: { kind: 'base64' as const, mediaType: 'application/pdf', data: 'JVBERi0xLjQ=' },
  name,
});
