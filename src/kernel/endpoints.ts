/** What keys can be allowed to call, by the names that calls are recorded with. What answers about the key itself is open to each. */
export const ENDPOINTS = [
  'chat.completions',
  'completions',
  'responses',
  'messages',
  'messages.count_tokens',
  'chat.complete',
  'embeddings',
] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

const AT = new Map<string, Endpoint>(ENDPOINTS.map((endpoint) => [`/v1/${endpoint.replace('.', '/')}`, endpoint]));

/** Null: what is at that path is none that a key has to be allowed. */
export const endpointAt = (path: string | undefined): Endpoint | null => AT.get(path ?? '') ?? null;
