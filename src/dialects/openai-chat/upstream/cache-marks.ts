import { rulesOf } from '../../../model-rules/index.js';
import type { CacheMark } from '../../canonical.js';
import { rulesId, type UpstreamParams } from '../../dialect.js';
import type { JsonObject } from '../../kit/json.js';

/** The fields that mark where what may be cached ends; none when it is not marked. */
export type Marker = (cache: CacheMark | undefined) => JsonObject;

const cacheControl: Marker = (cache) => (cache ? { cache_control: { type: 'ephemeral', ...(cache.ttl === '1h' && { ttl: '1h' }) } } : {});
const breakpoint: Marker = (cache) => (cache ? { prompt_cache_breakpoint: { mode: 'explicit' } } : {});
const nothing: Marker = () => ({});

/** For parts of messages. Most providers find the end themselves, and refuse marks. */
export function partMarker(rewrite: UpstreamParams): Marker {
  if (rewrite.quirks.thinking === 'openrouter') return cacheControl;
  return rulesOf(rulesId(rewrite)).openai.cacheBreakpoints ? breakpoint : nothing;
}

/** For tools. */
export const toolMarker = ({ quirks }: UpstreamParams): Marker => (quirks.thinking === 'openrouter' ? cacheControl : nothing);
