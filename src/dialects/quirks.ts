/** How a provider may differ from the format it speaks, and what each difference may be. The type and the admin's schema are made of this. */
export const QUIRKS = {
  /** Which field carries the output limit when the client sent none. */
  maxTokensField: ['max_tokens', 'max_completion_tokens'],
  /** False: `developer` is not known and becomes `system`. */
  developerRole: [true, false],
  /** One system message at most: several are joined. */
  singleSystem: [true, false],
  /** Content must be a text, not a list of parts, where there is text only. */
  textContent: [true, false],
  /** `content: null` is refused beside tool calls. */
  nullContent: [true, false],
  /** False: `stream_options` is refused. */
  streamOptions: [true, false],
  /** What forces a tool call; `any` as Mistral says it; null: not supported. */
  requiredToolChoice: ['required', 'any', null],
  /** False: `strict` on a tool is refused. */
  strictTools: [true, false],
  /** False: `response_format: json_schema` is not known. */
  jsonSchema: [true, false],
  /** The field that reasoning comes and goes by. `never`: it must not go back; `always`: turns with tool calls must carry it, even empty. */
  reasoningBack: ['never', 'always', 'as-is'],
  /** How thinking is asked for. `none`: it cannot be. */
  thinking: ['effort', 'deepseek', 'openrouter', 'groq', 'none'],
  /** Tool call ids must be of this form. */
  toolCallIds: ['nine-alphanumerics'],
  /** The field a seed goes by. */
  seedField: ['seed', 'random_seed'],
  /** False: the model calls tools only by what it writes in its text. */
  nativeTools: [true, false],
} as const;

/** How a provider differs from the format it speaks, as data. Absent: as the format's own vendor does it. */
export type Quirks = { [Name in keyof typeof QUIRKS]?: (typeof QUIRKS)[Name][number] } & {
  /** Answers by streams only, keeps nothing and takes no output limit: ChatGPT's backend. Weir cuts an answer at its limit itself. No record sets it. */
  statelessStreams?: boolean;
  /** Fields of chat that a strict server refuses. No record sets it. */
  refusedFields?: readonly string[];
  /** It knows `store` in chat. No record sets it. */
  store?: boolean;
  /** Whose cloud serves it, where that is not the format's own vendor: Google's Vertex AI, Microsoft's Foundry. No record sets it. */
  cloud?: 'vertex' | 'foundry';
};
