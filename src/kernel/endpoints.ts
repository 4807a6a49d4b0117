/** What keys can be allowed to call, by the names that calls are recorded with. What answers about the key itself is open to each. */
export const ENDPOINTS = [
  'chat.completions',
  'completions',
  'responses',
  'messages',
  'messages.count_tokens',
  'chat.complete',
  'embeddings',
  'passthrough',
] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

const AT = new Map<string, Endpoint>(ENDPOINTS.map((endpoint) => [`/v1/${endpoint.replace('.', '/')}`, endpoint]));
const PASSED_THROUGH = '/v1/passthrough/';

/** Null: what is at that path is none that a key has to be allowed. */
export const endpointAt = (path = ''): Endpoint | null => (path.startsWith(PASSED_THROUGH) ? 'passthrough' : (AT.get(path) ?? null));
