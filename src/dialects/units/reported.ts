import { isObject, type JsonObject, listOf, objectOf, textOf } from '../kit/json.js';
import { tokenCount } from '../kit/token-count.js';

/** What a provider's usage object says beyond the classes of text tokens. The tokens are among those counted there. */
export interface ReportedUnits {
  audioInput: number;
  imageInput: number;
  audioOutput: number;
  imageOutput: number;
  /** Web searches; null: not told. */
  searches: number | null;
  /** The tier, speed and region it was served with; null: not told. */
  tier: string | null;
  speed: string | null;
  geo: string | null;
}

const count = (value: unknown): number => {
  const tokens = tokenCount(value);
  return tokens === null || Number.isNaN(tokens) ? 0 : tokens;
};

/** Reads usage objects of every format: OpenAI's chat and Responses, Gemini's, Anthropic's, xAI's, Perplexity's. */
export function reportedUnits(raw: unknown): ReportedUnits {
  const usage = objectOf(raw);
  const input = { ...objectOf(usage['prompt_tokens_details']), ...objectOf(usage['input_tokens_details']) };
  const output = { ...objectOf(usage['completion_tokens_details']), ...objectOf(usage['output_tokens_details']) };
  return {
    audioInput: count(input['audio_tokens']) + ofModality(usage['promptTokensDetails'], 'AUDIO'),
    imageInput: count(input['image_tokens']),
    audioOutput: count(output['audio_tokens']) + ofModality(usage['candidatesTokensDetails'], 'AUDIO'),
    imageOutput: count(output['image_tokens']) + ofModality(usage['candidatesTokensDetails'], 'IMAGE'),
    searches: searchesIn(usage),
    tier: textOf(usage['service_tier']),
    speed: textOf(usage['speed']),
    geo: textOf(usage['inference_geo']),
  };
}

const ofModality = (details: unknown, modality: string): number =>
  listOf(details)
    .filter(isObject)
    .reduce((sum, one) => sum + (one['modality'] === modality ? count(one['tokenCount']) : 0), 0);

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
