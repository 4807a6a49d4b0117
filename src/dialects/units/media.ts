import { mediaUnit, toMedium, type Usage } from '../../kernel/usage.js';
import { isObject, listOf, objectOf } from '../kit/json.js';
import { tokenCount } from '../kit/token-count.js';

/**
 * Takes tokens of sound and images out of those of text, where the usage object that they were read from tells them apart. It reads OpenAI's chat
 * and Responses (`audio_tokens` and `image_tokens` of the details, platform.openai.com/docs/api-reference) and Gemini (`ModalityTokenCount` by
 * prompt, cache and candidates, ai.google.dev/api/generate-content#UsageMetadata), both read 2026-11-30. Images in Gemini's prompts are not told
 * apart: they cost what text does.
 */
export function withMedia(usage: Usage, raw: unknown): Usage {
  const told = objectOf(raw);
  const input = { ...objectOf(told['prompt_tokens_details']), ...objectOf(told['input_tokens_details']) };
  const output = { ...objectOf(told['completion_tokens_details']), ...objectOf(told['output_tokens_details']) };
  const audioInput = count(input['audio_tokens']) + ofModality(told['promptTokensDetails'], 'AUDIO');
  const imageInput = count(input['image_tokens']);
  const audioOutput = count(output['audio_tokens']) + ofModality(told['candidatesTokensDetails'], 'AUDIO');
  const imageOutput = count(output['image_tokens']) + ofModality(told['candidatesTokensDetails'], 'IMAGE');
  const cached = count(objectOf(input['cached_tokens_details'])['audio_tokens']) + ofModality(told['cacheTokensDetails'], 'AUDIO');
  // What was read from the cache is among the tokens of its medium, told apart or not.
  const audioCacheRead = Math.min(audioInput, Math.max(cached, audioInput - usage.input));
  let split = toMedium(usage, mediaUnit('audioCacheRead'), audioCacheRead);
  split = toMedium(split, mediaUnit('audioInput'), audioInput - (split.audioCacheRead - usage.audioCacheRead));
  split = toMedium(split, mediaUnit('imageInput'), imageInput);
  split = toMedium(split, mediaUnit('audioOutput'), audioOutput);
  return toMedium(split, mediaUnit('imageOutput'), imageOutput);
}

const count = (value: unknown): number => {
  const tokens = tokenCount(value);
  return tokens === null || Number.isNaN(tokens) ? 0 : tokens;
};

const ofModality = (details: unknown, modality: string): number =>
  listOf(details)
    .filter(isObject)
    .reduce((sum, one) => sum + (one['modality'] === modality ? count(one['tokenCount']) : 0), 0);
