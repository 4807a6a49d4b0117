import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import type { DefaultOwner } from '../kernel/plan-sources.js';
import type { Setter } from '../kernel/setter.js';
import {
  CONFIG_POOL,
  functionSql,
  type OwnedTable,
  type Pool,
  Prisma,
  type PrismaExecutor,
  rowsByOwner,
  sqlFunction,
} from '../platform/postgres/index.js';
import type { ApiKey } from './api-key.js';
import type { StoredDigest } from './key-format.js';

/** What can be changed of a key. */
export interface ApiKeySettings {
  name: string;
  models: string[];
  endpoints: string[];
  cidrs: string[];
  maxOutputTokens: number | null;
  maxCallNano: bigint | null;
  fit: string | null;
  thinkingLevel: string | null;
  unsupported: string | null;
  defaultModel: string | null;
  metadata: Record<string, string>;
  disabledAt: Date | null;
  expiresAt: Date | null;
}

/** What is absent: all models and endpoints, from everywhere, without limits. */
export interface NewApiKey extends Partial<ApiKeySettings> {
  tenantId: string;
  projectId: string;
  name: string;
  createdBy: string;
  setBy: Setter;
}

/** What verifying a key needs of it. Small: there may be hundreds of thousands in memory. */
export interface UsableKey {
  lookupId: string;
  /** In base64. */
  digest: string;
  id: string;
  tenantId: string;
  projectId: string;
  name: string;
  /** Null: any. */
  models: readonly string[] | null;
  /** Null: any. */
  endpoints: readonly string[] | null;
  /** Null: from everywhere. */
  cidrs: readonly string[] | null;
  maxOutputTokens: number | null;
  maxCallNano: bigint | null;
  fit: string | null;
  thinkingLevel: string | null;
  unsupported: string | null;
  /** Its own, its project's or its tenant's. */
  defaultModel: string | null;
  defaultModelFrom: DefaultOwner | null;
  /** Sessions of its project may have defaults. */
  hasSessions: boolean;
  unpricedCallNano: bigint | null;
  /** Its tenant lets answers be kept for repeats. */
  keepsAnswers: boolean;
  /** Its tenant is suspended. */
  isSuspended: boolean;
  /** Unix time in ms; infinite: never. */
  expiresAt: number;
}

interface UsableRow extends Omit<UsableKey, 'tenantId' | 'expiresAt'> {
  expiresAt: number | null;
  /** Its value from before it was rotated, while that works. */
  previousLookupId: string | null;
  previousDigest: string;
  previousUntil: number;
}

/** Not revoked or disabled, of a project and a tenant that are not archived. */
const USABLE: OwnedTable = {
  columns: `t.lookup_id AS "lookupId", encode(t.digest, 'base64') AS digest, t.id, t.project_id AS "projectId", t.name,
    CASE WHEN '*' <> ALL (t.models) THEN t.models END AS models, CASE WHEN '*' <> ALL (t.endpoints) THEN t.endpoints END AS endpoints,
    CASE WHEN '*' <> ALL (t.cidrs) THEN t.cidrs END AS cidrs, t.max_output_tokens AS "maxOutputTokens", t.max_call_nano AS "maxCallNano",
    t.fit, t.thinking_level AS "thinkingLevel", t.unsupported,
    coalesce(t.default_model, project.default_model, tenant.default_model) AS "defaultModel", tenant.unpriced_call_nano AS "unpricedCallNano",
    CASE WHEN t.default_model IS NOT NULL THEN 'api_key' WHEN project.default_model IS NOT NULL THEN 'project'
      WHEN tenant.default_model IS NOT NULL THEN 'tenant' END AS "defaultModelFrom",
    project.has_sessions AS "hasSessions", tenant.keeps_answers AS "keepsAnswers", tenant.suspended_at IS NOT NULL AS "isSuspended",
    extract(epoch FROM t.expires_at)::float8 * 1000 AS "expiresAt",
    CASE WHEN t.previous_until > now() THEN t.previous_lookup_id END AS "previousLookupId", encode(t.previous_digest, 'base64') AS "previousDigest",
    extract(epoch FROM t.previous_until)::float8 * 1000 AS "previousUntil"`,
  table: 'api_keys',
  key: 'id',
  where: 't.revoked_at IS NULL AND t.disabled_at IS NULL',
  joined: {
    joins: `LEFT JOIN projects project ON project.tenant_id = t.tenant_id AND project.id = t.project_id
      LEFT JOIN tenants tenant ON tenant.id = t.tenant_id`,
    where: 'project.archived_at IS NULL AND tenant.archived_at IS NULL AND tenant.deleted_at IS NULL',
  },
  platform: false,
};

@Injectable()
export class ApiKeysRepository {
  constructor(
    private readonly prisma: Prisma,
    @Inject(CONFIG_POOL) private readonly pool: Pool,
  ) {}

  /** @param db the transaction it belongs to; absent: it has its own. */
  async insert(key: NewApiKey, stored: StoredDigest, db?: PrismaExecutor): Promise<ApiKey> {
    if (!db) return this.prisma.$transaction((own) => this.insert(key, stored, own));
    const made = await db.apiKey.create({ data: { id: newId(), ...key, ...stored } });
    await tell(db, 'created', made, key.createdBy);
    return made;
  }

  find(tenantId: string, projectId: string, id: string): Promise<ApiKey | null> {
    return this.prisma.apiKey.findFirst({ where: { tenantId, projectId, id } });
  }

  findInTenant(tenantId: string, id: string): Promise<ApiKey | null> {
    return this.prisma.apiKey.findFirst({ where: { tenantId, id } });
  }

  list(tenantId: string, projectId: string): Promise<ApiKey[]> {
    return this.prisma.apiKey.findMany({ where: { tenantId, projectId }, orderBy: { id: 'desc' } });
  }

  /** @throws WeirError conflict when it is revoked. */
  async update(tenantId: string, id: string, changes: Partial<ApiKeySettings>): Promise<void> {
    const { count } = await this.prisma.apiKey.updateMany({ where: { tenantId, id, revokedAt: null }, data: changes });
    if (count === 0) throw new WeirError('conflict', { message: 'The key is revoked. Make a new one.' });
  }

  /** Notes that these keys are in use. What another process writes at the same time is left to it. */
  async noteUsed(ids: readonly string[]): Promise<void> {
    await this.pool.query(
      `UPDATE api_keys SET last_used_at = weir_now() WHERE (tenant_id, id) IN
         (SELECT tenant_id, id FROM api_keys WHERE id = ANY ($1::uuid[]) FOR UPDATE SKIP LOCKED)`,
      [ids],
    );
  }

  /** Marks a key revoked; the first time stands. */
  revoke(key: ApiKey, actor: string): Promise<void> {
    const { tenantId, id } = key;
    return this.prisma.$transaction(async (db) => {
      const { count } = await db.apiKey.updateMany({ where: { tenantId, id, revokedAt: null }, data: { revokedAt: new Date() } });
      if (count > 0) await tell(db, 'revoked', key, actor);
    });
  }

  /** Says once of each key that works that it expires within a week, but for those that were never to work for longer. */
  async tellExpiring(): Promise<void> {
    await this.pool.query(
      `SELECT ${sqlFunction('emit_event')}(k.tenant_id, 'key.expiring', 'key.expiring:' || k.id, jsonb_build_object('api_key_id', k.id,
         'project_id', k.project_id, 'name', k.name, 'expires_at', k.expires_at))
       FROM api_keys k JOIN projects p ON p.tenant_id = k.tenant_id AND p.id = k.project_id JOIN tenants t ON t.id = k.tenant_id
       WHERE k.revoked_at IS NULL AND k.expires_at > weir_now() AND k.expires_at <= weir_now() + interval '7 days'
         AND k.expires_at > k.created_at + interval '7 days' AND p.archived_at IS NULL AND t.archived_at IS NULL AND t.deleted_at IS NULL
         AND NOT EXISTS (SELECT FROM outbox o WHERE o.dedupe_key = 'key.expiring:' || k.id)`,
    );
  }

  /** Gives a key another value; the present one works for so long still. @throws WeirError conflict when it is revoked. */
  async rotate(tenantId: string, id: string, stored: StoredDigest, overlapSeconds: number): Promise<void> {
    const changed = await this.prisma.$executeRaw`
      UPDATE api_keys SET previous_lookup_id = lookup_id, previous_digest = digest, previous_until = now() + make_interval(secs => ${overlapSeconds}::int),
        lookup_id = ${stored.lookupId}, digest = ${stored.digest}, last4 = ${stored.last4}
      WHERE tenant_id = ${tenantId}::uuid AND id = ${id}::uuid AND revoked_at IS NULL`;
    if (changed === 0) throw new WeirError('conflict', { message: 'The key is revoked. Make a new one.' });
  }

  /** Keys that may be used, of these tenants or of all (null), tenant by tenant. One that was rotated is there by both of its values. */
  async *usable(tenantIds: string[] | null): AsyncGenerator<[tenantId: string, keys: UsableKey[]]> {
    // Text that many keys have in common is kept once.
    let owner = '';
    let shared = new Map<string, string>();
    const owned = rowsByOwner<UsableRow, UsableKey[]>(this.pool, USABLE, tenantIds, (row) => {
      if (row.owner !== owner) {
        owner = row.owner;
        shared = new Map();
      }
      const once = <T extends string | null>(text: T): T => {
        if (text !== null && !shared.has(text)) shared.set(text, text);
        return (text && shared.get(text)) as T;
      };
      const key = {
        lookupId: row.lookupId,
        digest: row.digest,
        id: row.id,
        tenantId: owner,
        projectId: once(row.projectId),
        name: once(row.name),
        models: row.models,
        endpoints: row.endpoints,
        cidrs: row.cidrs,
        maxOutputTokens: row.maxOutputTokens,
        maxCallNano: row.maxCallNano,
        fit: once(row.fit),
        thinkingLevel: once(row.thinkingLevel),
        unsupported: once(row.unsupported),
        defaultModel: once(row.defaultModel),
        defaultModelFrom: row.defaultModelFrom,
        hasSessions: row.hasSessions,
        unpricedCallNano: row.unpricedCallNano,
        keepsAnswers: row.keepsAnswers,
        isSuspended: row.isSuspended,
        expiresAt: row.expiresAt ?? Number.POSITIVE_INFINITY,
      };
      if (row.previousLookupId === null) return [key];
      const previous = {
        lookupId: row.previousLookupId,
        digest: row.previousDigest,
        expiresAt: Math.min(key.expiresAt, row.previousUntil),
      };
      return [key, { ...key, ...previous }];
    });
    for await (const [tenantId, keys] of owned) yield [tenantId, keys.flat()];
  }
}

/** Writes an event about a key, in the transaction of what it tells. */
async function tell(
  db: PrismaExecutor,
  what: 'created' | 'revoked',
  { tenantId, id, projectId, name }: ApiKey,
  actor: string,
): Promise<void> {
  await db.$executeRaw`SELECT ${functionSql('emit_event')}(${tenantId}::uuid, ${`key.${what}`}, ${`key.${what}:${id}`},
    jsonb_build_object('api_key_id', ${id}::text, 'project_id', ${projectId}::text, 'name', ${name}::text, 'actor', ${actor}::text))`;
}
