import type { HoldAnswer } from './hold-answer.js';
import type { HoldRequest } from './ledger.js';
import { isLocked, mayBeOfOneCall } from './refusals.js';
import type { Weights } from './weights.js';

/** How many parts of a batch are asked for at once. */
const PARTS_AT_ONCE = 4;
/** Periods and counters of a part, where a batch touches too many. */
const ROWS_PER_PART = 512;

export interface AskedHold {
  item: HoldRequest;
  resolve(answer: HoldAnswer): void;
  reject(error: unknown): void;
}

/**
 * Holds the calls of a batch, and answers each as soon as it is held. Where Postgres sends the batch back because it touches too many rows, or where
 * one of its calls makes the statement fail, the others are asked for without it: first each tenant by itself, then a tenant's calls in parts, down
 * to the one that is at fault, which is rejected. @param deadline by performance.now(): a lock is waited for as often as there is time for it.
 */
export async function holdInParts(
  batch: AskedHold[],
  ask: (requests: HoldRequest[]) => Promise<HoldAnswer[]>,
  weights: Weights,
  deadline: number,
): Promise<void> {
  let parts: AskedHold[][];
  const tenants = byTenant(batch);
  const startedAt = performance.now();
  try {
    const answers = await ask(batch.map(({ item }) => item));
    for (const [place, { rows }] of answers.entries()) weights.learn(batch[place]!.item.tenantId, batch[place]!.item.scopes.length, rows);
    if (answers[0]?.verdict !== 'split') {
      for (const [place, { resolve }] of batch.entries()) resolve(answers[place]!);
      return;
    }
    parts = tenants.length > 1 ? tenants : byRows(batch, weights);
  } catch (error) {
    if (!mayBeOfOneCall(error) && !isLocked(error)) throw error;
    if (tenants.length === 1) weights.avoid(batch[0]!.item.tenantId);
    if (tenants.length > 1) parts = tenants;
    else if (isLocked(error) && 2 * performance.now() - startedAt < deadline) parts = [batch];
    else if (isLocked(error) || batch.length === 1) {
      for (const { reject } of batch) reject(error);
      return;
    } else parts = [batch.slice(0, batch.length >> 1), batch.slice(batch.length >> 1)];
  }
  const work = async () => {
    for (let part = parts.shift(); part; part = parts.shift()) await holdInParts(part, ask, weights, deadline);
  };
  await Promise.all(Array.from({ length: PARTS_AT_ONCE }, work));
}

function byTenant(batch: AskedHold[]): AskedHold[][] {
  const parts = new Map<string, AskedHold[]>();
  for (const asked of batch) {
    const part = parts.get(asked.item.tenantId);
    if (part) part.push(asked);
    else parts.set(asked.item.tenantId, [asked]);
  }
  return [...parts.values()];
}

/** Parts of a tenant's calls that touch few enough rows, each of one call at least. */
function byRows(batch: AskedHold[], weights: Weights): AskedHold[][] {
  const parts: AskedHold[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const asked of batch) {
    const own = weights.of(asked.item.tenantId, asked.item.scopes.length);
    rows += own;
    if (rows > ROWS_PER_PART) {
      parts.push([]);
      rows = own;
    }
    parts.at(-1)!.push(asked);
  }
  return parts;
}
