import { formatUsd } from '../kernel/money.js';
import { unixSeconds } from '../platform/openapi/index.js';
import type { ProbeReport } from './probe.js';

/** What a probe found, as it is stored with the provider and shown. It never holds a word of the provider's. */
export interface Capabilities {
  ok: boolean;
  class: string;
  latency_ms: number;
  model: string | null;
  chat: boolean | null;
  streaming: boolean | null;
  tools: boolean | null;
  usage: boolean | null;
  embeddings: boolean | null;
  input_tokens: number;
  output_tokens: number;
  /** USD as a decimal string. */
  cost: string | null;
  /** Unix seconds. */
  checked_at: number;
}

export const capabilitiesOf = (report: ProbeReport): Capabilities => ({
  ok: report.ok,
  class: report.class,
  latency_ms: report.latencyMs,
  model: report.model,
  chat: report.chat,
  streaming: report.streaming,
  tools: report.tools,
  usage: report.usage,
  embeddings: report.embeddings,
  input_tokens: report.inputTokens,
  output_tokens: report.outputTokens,
  cost: report.cost === null ? null : formatUsd(report.cost),
  checked_at: unixSeconds(new Date()),
});
