import type { HoldAnswer, HoldRequest } from './ledger.js';
import type { Weights } from './weights.js';

/** How many parts of a batch are asked for at once. */
const PARTS_AT_ONCE = 4;
/** Periods and counters of a part, where a batch touches too many. */
const ROWS_PER_PART = 512;

const LOCK_NOT_AVAILABLE = '55P03';
/** Data exception, constraint, program limit, lock not available, query canceled: what one call of a batch may bring about for all of it. */
const OF_ONE_CALL = /^(22|23|54)|^(55P03|57014)$/;

/**
 * Holds the calls of a batch. Where Postgres sends the batch back because it touches too many rows, or where one of its calls makes the statement
 * fail, the others are asked for without it: first each tenant by itself, then a tenant's calls in parts, down to the one that is at fault.
 * Answers an Error for a call that is. @param deadline by performance.now(): a lock is waited for as often as there is time for it.
 */
export async function holdApart(
  requests: HoldRequest[],
  ask: (requests: HoldRequest[]) => Promise<HoldAnswer[]>,
  weights: Weights,
  deadline: number,
): Promise<(HoldAnswer | Error)[]> {
  let parts: HoldRequest[][];
  const tenants = byTenant(requests);
  const startedAt = performance.now();
  try {
    const answers = await ask(requests);
    for (const [number, { rows }] of answers.entries()) weights.learn(requests[number]!.tenantId, requests[number]!.scopes.length, rows);
    if (answers[0]?.verdict !== 'split') return answers;
    parts = tenants.length > 1 ? tenants : byRows(requests, weights);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (!OF_ONE_CALL.test(String(code))) throw error;
    if (tenants.length === 1) weights.avoid(requests[0]!.tenantId);
    if (tenants.length > 1) parts = tenants;
    else if (code === LOCK_NOT_AVAILABLE && 2 * performance.now() - startedAt < deadline) parts = [requests];
    else if (code === LOCK_NOT_AVAILABLE || requests.length === 1) return requests.map(() => error as Error);
    else parts = [requests.slice(0, requests.length >> 1), requests.slice(requests.length >> 1)];
  }
  const answers = new Map<HoldRequest, HoldAnswer | Error>();
  const work = async () => {
    for (let part = parts.shift(); part; part = parts.shift()) {
      const held = await holdApart(part, ask, weights, deadline);
      for (const [number, request] of part.entries()) answers.set(request, held[number]!);
    }
  };
  await Promise.all(Array.from({ length: PARTS_AT_ONCE }, work));
  return requests.map((request) => answers.get(request)!);
}

function byTenant(requests: HoldRequest[]): HoldRequest[][] {
  const parts = new Map<string, HoldRequest[]>();
  for (const request of requests) {
    const part = parts.get(request.tenantId);
    if (part) part.push(request);
    else parts.set(request.tenantId, [request]);
  }
  return [...parts.values()];
}

/** Parts of a tenant's calls that touch few enough rows, each of one call at least. */
function byRows(requests: HoldRequest[], weights: Weights): HoldRequest[][] {
  const parts: HoldRequest[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const request of requests) {
    const own = weights.of(request.tenantId, request.scopes.length);
    rows += own;
    if (rows > ROWS_PER_PART) {
      parts.push([]);
      rows = own;
    }
    parts.at(-1)!.push(request);
  }
  return parts;
}
