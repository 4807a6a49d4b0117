import type { UpstreamParams, UpstreamRequest } from '../dialect.js';
import { ANTHROPIC_VERSION, type AnthropicHeaders, betasLeftOut, versionLeftOut } from '../kit/anthropic-headers.js';
import type { JsonObject } from '../kit/json.js';
import { type Source, writeBody } from '../kit/json-splice.js';
import { pathSegment } from '../kit/path-segment.js';
import { table } from '../kit/table.js';

/** Where the same body goes, and how it is wrapped: Vertex AI has the model in the path, and the version of the format in the body. */

type Envelope = Pick<UpstreamRequest, 'path' | 'headers' | 'body' | 'warnings'>;
type Destination = Pick<UpstreamParams, 'model' | 'quirks'>;

const PATH = '/messages';
const VERTEX_VERSION = 'vertex-2023-10-16';

/** @param body with the model. @param source what the client sent, where that is a message. */
export function messageEnvelope(body: JsonObject, { model: id, quirks }: Destination, said: AnthropicHeaders, source?: Source): Envelope {
  if (quirks.cloud !== 'vertex') return ofAnthropic(PATH, body, said, source);
  const { betas, anthropicVersion } = said;
  const { model: _inPath, ...rest } = body;
  const known = betas.flatMap((beta) => VERTEX_BETAS[beta] ?? []);
  return {
    // Google writes versions as `claude-opus-4-5@20251101`, and an "@" may stand in a path.
    path: `/models/${pathSegment(id).replaceAll('%40', '@')}:${body['stream'] === true ? 'streamRawPredict' : 'rawPredict'}`,
    headers: betaHeader(known),
    body: writeBody(source, { ...rest, anthropic_version: VERTEX_VERSION }),
    warnings: [...betasLeftOut(betas.filter((beta) => !VERTEX_BETAS[beta])), ...versionLeftOut(anthropicVersion)],
  };
}

/** For a count of a message's tokens. Vertex AI names the model in the body here, and refuses betas that it takes for messages. */
export function countEnvelope(body: JsonObject, { quirks }: Destination, said: AnthropicHeaders, source?: Source): Envelope {
  if (quirks.cloud !== 'vertex') return ofAnthropic(`${PATH}/count_tokens`, body, said, source);
  const sent = writeBody(source, { ...body, anthropic_version: VERTEX_VERSION });
  return {
    path: '/models/count-tokens:rawPredict',
    headers: [],
    body: sent,
    warnings: [...betasLeftOut(said.betas), ...versionLeftOut(said.anthropicVersion)],
  };
}

const ofAnthropic = (path: string, body: JsonObject, { betas, anthropicVersion }: AnthropicHeaders, source?: Source): Envelope => ({
  path,
  headers: ['anthropic-version', anthropicVersion ?? ANTHROPIC_VERSION, ...betaHeader(betas)],
  body: writeBody(source, body),
  warnings: [],
});

const betaHeader = (betas: readonly string[]): string[] => (betas.length > 0 ? ['anthropic-beta', betas.join(',')] : []);

/** Betas by their names on Vertex AI, which takes them by the header alone, and refuses a request that names another. As of 2026-11. */
const VERTEX_BETAS = table<string>({
  'advanced-tool-use-2025-11-20': 'tool-search-tool-2025-10-19',
  'compact-2026-01-12': 'compact-2026-01-12',
  'compact-2026-09-04': 'compact-2026-09-04',
  'computer-use-2025-01-24': 'computer-use-2025-01-24',
  'computer-use-2025-11-24': 'computer-use-2025-11-24',
  'context-management-2025-06-27': 'context-management-2025-06-27',
  'dangerous-tool-use-2026-09-03': 'dangerous-tool-use-2026-09-03',
  'interleaved-thinking-2025-05-14': 'interleaved-thinking-2025-05-14',
  'per-turn-control-2026-07-01': 'per-turn-control-2026-07-01',
  'thinking-binding-controls-2026-08-01': 'thinking-binding-controls-2026-08-01',
  'thinking-display-updates-2026-08-18': 'thinking-display-updates-2026-08-18',
  'tool-search-tool-2025-10-19': 'tool-search-tool-2025-10-19',
  'web-search-2025-03-05': 'web-search-2025-03-05',
});
