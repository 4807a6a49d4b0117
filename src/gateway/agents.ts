import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorForm } from '../dialects/index.js';
import type { WeirError } from '../kernel/errors.js';

/** An agent that ignores `x-should-retry` and decides by the status alone. Recorded in docs/decisions/2026-11-29-final-refusals.md. */
interface Agent {
  sent(headers: IncomingHttpHeaders): boolean;
  /** The status at which it stops and shows the sentence. */
  stopsAt: number;
  /** It stops there as it is. */
  obeys(error: Pick<WeirError, 'status' | 'code'>): boolean;
}

const sentBy = (headers: IncomingHttpHeaders, name: RegExp): boolean => name.test(headers['user-agent'] ?? '');

/** Denials of money that are no 402. */
const UNPRICED: ReadonlySet<string> = new Set(['model_not_priced', 'feature_not_priced']);

const AGENTS: readonly Agent[] = [
  { sent: (headers) => sentBy(headers, /^codex/i), stopsAt: 400, obeys: ({ status }) => status <= 401 },
  // LiteLLM, and with it aider: it calls by OpenAI's SDK, and by this header alone can be told from it.
  {
    sent: (headers) => sentBy(headers, /^(?:Async)?OpenAI\/Python/) && headers['x-stainless-raw-response'] !== undefined,
    stopsAt: 400,
    obeys: ({ status }) => status <= 401,
  },
  { sent: (headers) => sentBy(headers, /(?:^| )ai-sdk[/-]/), stopsAt: 400, obeys: ({ status }) => status !== 409 && status < 429 },
  { sent: (headers) => sentBy(headers, /^claude-cli/), stopsAt: 402, obeys: ({ code }) => !UNPRICED.has(code) },
];

/**
 * The status that a client is told an error with: that of its format, or for a refusal that is final the one at which the client's agent stops.
 */
export function statusFor(error: WeirError, headers: IncomingHttpHeaders, form?: ErrorForm): number {
  const { status, retry } = error;
  const isFinal = retry === false || (retry === undefined && status < 500);
  const agent = isFinal ? AGENTS.find(({ sent }) => sent(headers)) : undefined;
  return agent && !agent.obeys(error) ? agent.stopsAt : (form?.statuses[error.code] ?? status);
}
