/** What Cloudflare's AI Gateway may be asked for with a call. Facts as of 2026-11. */
export type AiGatewayOptions = {
  /** Which gateway of the account, where the address does not say. */
  id?: string;
  skip_cache?: boolean;
  cache_ttl?: number;
  cache_key?: string;
  collect_log?: boolean;
  event_id?: string;
  metadata?: Record<string, string | number | boolean>;
};

/** The types whose servers are, or stand behind, an AI Gateway. */
export const AI_GATEWAY_TYPES: ReadonlySet<string> = new Set(['cloudflare', 'cloudflare-workers-ai']);

const HEADERS: Readonly<Record<keyof AiGatewayOptions, string>> = {
  id: 'cf-aig-gateway-id',
  skip_cache: 'cf-aig-skip-cache',
  cache_ttl: 'cf-aig-cache-ttl',
  cache_key: 'cf-aig-cache-key',
  collect_log: 'cf-aig-collect-log',
  event_id: 'cf-aig-event-id',
  metadata: 'cf-aig-metadata',
};

/** The options as headers, names and values in turn. */
export function aiGatewayHeaders(options: AiGatewayOptions | null): string[] {
  return Object.entries(options ?? {}).flatMap(([name, value]) => [
    HEADERS[name as keyof AiGatewayOptions],
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ]);
}
