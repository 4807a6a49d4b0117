import type { Rewrite, UpstreamRequest } from '../dialect.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import { leftOut } from '../kit/left-out.js';
import { pathSegment } from '../kit/path-segment.js';
import { table } from '../kit/table.js';

/** Where the same body goes, and how it is wrapped: Vertex AI has the model in the path, and the version of the format in the body. */

type Envelope = Pick<UpstreamRequest, 'path' | 'headers' | 'body' | 'warnings'>;
type Destination = Pick<Rewrite, 'model' | 'quirks'>;

const PATH = '/messages';
const VERSION = '2023-06-01';
const VERTEX_VERSION = 'vertex-2023-10-16';

/** @param body with the model. @param betas values of `anthropic-beta`. */
export function messageEnvelope(body: JsonObject, { model: id, quirks }: Destination, betas: readonly string[]): Envelope {
  if (quirks.cloud !== 'vertex') return ofAnthropic(PATH, body, betas);
  const { model: _inPath, ...rest } = body;
  const known = betas.flatMap((beta) => VERTEX_BETAS[beta] ?? []);
  return {
    // Google writes versions as `claude-opus-4-5@20251101`, and an "@" may stand in a path.
    path: `/models/${pathSegment(id).replaceAll('%40', '@')}:${body['stream'] === true ? 'streamRawPredict' : 'rawPredict'}`,
    headers: betaHeader(known),
    body: writeJson({ ...rest, anthropic_version: VERTEX_VERSION }),
    warnings: betas.filter((beta) => !VERTEX_BETAS[beta]).map((beta) => leftOut(`anthropic-beta: ${beta}`)),
  };
}

/** For a count of a message's tokens. Vertex AI names the model in the body here, and refuses betas that it takes for messages. */
export function countEnvelope(body: JsonObject, { quirks }: Destination, betas: readonly string[]): Envelope {
  if (quirks.cloud !== 'vertex') return ofAnthropic(`${PATH}/count_tokens`, body, betas);
  const sent = writeJson({ ...body, anthropic_version: VERTEX_VERSION });
  return { path: '/models/count-tokens:rawPredict', headers: [], body: sent, warnings: [] };
}

const ofAnthropic = (path: string, body: JsonObject, betas: readonly string[]): Envelope => ({
  path,
  headers: ['anthropic-version', VERSION, ...betaHeader(betas)],
  body: writeJson(body),
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
