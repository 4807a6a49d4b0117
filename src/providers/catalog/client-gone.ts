import type { ClientGone, OnClientGone, ProviderRecord, ProviderType } from '../provider.js';
import { isOwnAddress } from './own-address.js';

const READ = '2026-11-28';

/** Nothing is known of most vendors: what they may bill is read to its end. */
export const UNKNOWN_CLIENT_GONE: ClientGone = { stream: 'drain', whole: 'drain', source: null, asOf: READ };

/**
 * OpenRouter lists the vendors whose streams stop, and stop being billed, when the connection is closed. A call that is not streamed goes on,
 * and is billed whole.
 */
export const STREAMS_STOP: ClientGone = {
  stream: 'cancel',
  whole: 'drain',
  source: 'https://openrouter.ai/docs/api-reference/streaming#stream-cancellation',
  asOf: READ,
};

/** The server aborts a request when its connection closes. It is one's own machine: no one bills the rest. */
const own = (source: string): ClientGone => ({ stream: 'cancel', whole: 'cancel', source, asOf: READ });

export const OLLAMA_STOPS = own('https://github.com/ollama/ollama/issues/2876');
export const VLLM_STOPS = own('https://github.com/vllm-project/vllm/pull/32442');
/** It answers within this process. */
export const MOCK_STOPS = own('src/providers/mock/mock-transport.ts');

/** What happens to a call of this record when its client leaves: as it says itself, or as is known of its vendor's own address. */
export function whenClientLeaves(record: ProviderRecord, type: ProviderType): Pick<ClientGone, 'stream' | 'whole'> {
  if (record.onClientGone !== null) {
    const told = record.onClientGone as OnClientGone;
    return { stream: told, whole: told };
  }
  return isOwnAddress(type, record.baseUrl) ? type.clientGone : UNKNOWN_CLIENT_GONE;
}
