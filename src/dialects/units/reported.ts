import { type JsonObject, objectOf, textOf } from '../kit/json.js';
import { tokenCount } from '../kit/token-count.js';

/** What a provider's usage object says beyond its tokens. */
export interface ReportedUnits {
  /** Web searches; null: not told. */
  searches: number | null;
  /** The tier, speed and region it was served with; null: not told. */
  tier: string | null;
  speed: string | null;
  geo: string | null;
}

/** Reads usage objects of every format: OpenAI's chat and Responses, Gemini's, Anthropic's, xAI's, Perplexity's. */
export function reportedUnits(raw: unknown): ReportedUnits {
  const usage = objectOf(raw);
  return {
    searches: searchesIn(usage),
    tier: textOf(usage['service_tier']),
    speed: textOf(usage['speed']),
    geo: textOf(usage['inference_geo']),
  };
}

function searchesIn(usage: JsonObject): number | null {
  const run = objectOf(usage['server_tool_use']);
  const xai = objectOf(usage['server_side_tool_usage_details']);
  const counts = [
    run['web_search_requests'],
    xai['web_search_calls'],
    xai['x_search_calls'],
    usage['num_sources_used'],
    usage['num_search_queries'],
  ]
    .map(tokenCount)
    .filter((told) => told !== null && !Number.isNaN(told));
  return counts.length > 0 ? counts.reduce<number>((sum, told) => sum + told!, 0) : null;
}
