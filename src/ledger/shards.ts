/** Batches of different tenants need not wait for each other. */
export const SHARDS = 4;

export const shardOf = (tenantId: string): number => Number.parseInt(tenantId.slice(-2), 16) % SHARDS;
