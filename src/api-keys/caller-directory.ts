import { hash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import type { ThinkingLevel } from '../kernel/thinking.js';
import { Keyring } from '../platform/crypto/index.js';
import { ConfigChanges, ServerClock } from '../platform/postgres/index.js';
import type { Caller } from './api-key.js';
import { ApiKeysRepository, type VerifiableKey } from './api-keys.repository.js';
import { digestOf, parseKey, sameDigest } from './key-format.js';

interface Entry {
  digest: Uint8Array;
  expiresAt: number;
  isSuspended: boolean;
  caller: Caller;
}

/** Verifies API keys against memory. A key that is unknown, wrong, revoked or expired gets one and the same answer. */
@Injectable()
export class CallerDirectory {
  private readonly entries = new Map<string, Entry>();
  private readonly lookupIdsByTenant = new Map<string, string[]>();
  /** Keys that were verified since the last reload, by a digest of the whole key under a secret of this process: a tenth of the work. */
  private readonly verified = new Map<string, Entry>();
  private readonly secret = randomBytes(32).toString('hex');

  constructor(
    private readonly repository: ApiKeysRepository,
    private readonly keyring: Keyring,
    private readonly clock: ServerClock,
    changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
  }

  /** @throws WeirError invalid_api_key, tenant_suspended */
  verify(presented: string): Caller {
    const digest = hash('sha256', this.secret + presented, 'binary');
    let entry = this.verified.get(digest);
    if (!entry) {
      entry = this.verifyInFull(presented);
      if (this.verified.size >= MOST_VERIFIED) this.verified.clear();
      this.verified.set(digest, entry);
    }
    if (entry.expiresAt <= this.clock.now()) throw new WeirError('invalid_api_key');
    if (entry.isSuspended) throw new WeirError('tenant_suspended');
    return entry.caller;
  }

  private verifyInFull(presented: string): Entry {
    const parsed = parseKey(presented);
    const entry = parsed?.kind === 'sk' ? this.entries.get(parsed.lookupId) : undefined;
    // An unknown key is compared too, so that the time taken tells nothing.
    const matches = sameDigest(digestOf(this.keyring.pepper, presented), entry?.digest ?? NO_DIGEST);
    if (!entry || !matches) throw new WeirError('invalid_api_key');
    return entry;
  }

  private async reload(tenantIds: string[] | null): Promise<void> {
    const keys = await this.repository.usable(tenantIds);
    this.verified.clear();
    const byTenant = Map.groupBy(keys, (key) => key.tenantId);
    for (const tenantId of new Set([...(tenantIds ?? this.lookupIdsByTenant.keys()), ...byTenant.keys()])) {
      for (const lookupId of this.lookupIdsByTenant.get(tenantId) ?? []) this.entries.delete(lookupId);
      const current = byTenant.get(tenantId) ?? [];
      for (const key of current) this.entries.set(key.lookupId, entryOf(key));
      this.lookupIdsByTenant.set(
        tenantId,
        current.map((key) => key.lookupId),
      );
    }
  }
}

const NO_DIGEST = Buffer.alloc(32);
const MOST_VERIFIED = 10_000;

function entryOf(key: VerifiableKey): Entry {
  return {
    digest: key.digest,
    expiresAt: key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
    isSuspended: key.project.tenant.suspendedAt !== null,
    caller: {
      tenantId: key.tenantId,
      projectId: key.projectId,
      apiKeyId: key.id,
      keyName: key.name,
      models: key.models.includes('*') ? null : new Set(key.models),
      maxOutputTokens: key.maxOutputTokens,
      maxCallCost: key.maxCallNano,
      shrinksToFit: key.fit === 'shrink',
      thinkingLevel: key.thinkingLevel as ThinkingLevel | null,
      unpricedCallCost: key.project.tenant.unpricedCallNano,
      scopes: [
        { kind: 'tenant', value: publicId('tenant', key.tenantId) },
        { kind: 'project', value: publicId('project', key.projectId) },
        { kind: 'api_key', value: publicId('apiKey', key.id) },
      ],
    },
  };
}
