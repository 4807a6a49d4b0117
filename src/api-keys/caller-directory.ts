import { hash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import type { ThinkingLevel } from '../kernel/thinking.js';
import { Keyring } from '../platform/crypto/index.js';
import { Networks } from '../platform/listener/index.js';
import { ConfigChanges, OwnedMap, ServerClock } from '../platform/postgres/index.js';
import type { Caller } from './api-key.js';
import { ApiKeysRepository, type UsableKey } from './api-keys.repository.js';
import { digestOf, parseKey, sameDigest } from './key-format.js';
import { KeyUses } from './key-uses.js';

interface Verified {
  key: UsableKey;
  caller: Caller;
  /** Where it may be used from; null: everywhere. */
  from: Networks | null;
}

const NO_DIGEST = Buffer.alloc(32);
const MAX_VERIFIED = 10_000;
/** A key may have been revoked since; longer than this nobody relies on that it was not. */
const MAX_UNCONFIRMED_MS = 60_000;

/** Verifies API keys against memory. A key that is unknown, wrong, revoked or expired gets one and the same answer. */
@Injectable()
export class CallerDirectory {
  /** By look-up id. There may be hundreds of thousands: each is kept as small as it was read. */
  private readonly keys = new OwnedMap<UsableKey>(({ lookupId }) => lookupId);
  /** Keys that were verified and did not change since, by a digest of the whole key under a secret of this process: a tenth of the work. */
  private readonly verified = new Map<string, Verified>();
  private readonly lookupIds = new WeakMap<Caller, string>();
  private readonly secret = randomBytes(32).toString('hex');
  /** Values of keys, projects and tenants that were withdrawn and not read since, with their tenants. */
  private readonly withdrawn = new Map<string, string>();

  constructor(
    private readonly repository: ApiKeysRepository,
    private readonly keyring: Keyring,
    private readonly clock: ServerClock,
    private readonly changes: ConfigChanges,
    private readonly uses: KeyUses,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
    changes.onWithdrawn((tenantId, what) => this.withdrawn.set(what, tenantId));
  }

  /** What is withdrawn meanwhile may be read as it was before. */
  private async reload(tenantIds: string[] | null): Promise<void> {
    const withdrawnBefore = [...this.withdrawn];
    await this.keys.refill(tenantIds, this.repository.usable(tenantIds));
    for (const [what, tenantId] of withdrawnBefore) if (!tenantIds || tenantIds.includes(tenantId)) this.withdrawn.delete(what);
  }

  /**
   * @param addressOf where it comes from, asked for only where that matters; null: nobody knows.
   * @throws WeirError invalid_api_key, keys_unconfirmed, tenant_suspended, address_not_allowed
   */
  verify(presented: string, addressOf: () => string | null): Caller {
    if (this.changes.ageMs > MAX_UNCONFIRMED_MS) throw new WeirError('keys_unconfirmed');
    const digest = hash('sha256', this.secret + presented, 'binary');
    let found = this.verified.get(digest);
    if (!found || this.keys.get(found.key.lookupId) !== found.key) {
      found = this.verifyInFull(presented);
      if (this.verified.size >= MAX_VERIFIED) this.verified.clear();
      this.verified.set(digest, found);
    }
    this.assertUsable(found.key);
    if (found.from && !found.from.hold(addressOf() ?? undefined)) throw new WeirError('address_not_allowed');
    this.uses.note(found.key.id);
    return found.caller;
  }

  /** Of a request that waited: whoever makes it, as its key is now. @throws WeirError invalid_api_key, keys_unconfirmed, tenant_suspended */
  refreshed(caller: Caller): Caller {
    if (this.changes.ageMs > MAX_UNCONFIRMED_MS) throw new WeirError('keys_unconfirmed');
    const key = this.keys.get(this.lookupIds.get(caller) ?? '');
    if (!key) throw new WeirError('invalid_api_key');
    this.assertUsable(key);
    return this.callerOf(key);
  }

  private assertUsable({ lookupId, projectId, tenantId, expiresAt, isSuspended }: UsableKey): void {
    if (expiresAt <= this.clock.now() || this.withdrawn.has(lookupId) || this.withdrawn.has(projectId))
      throw new WeirError('invalid_api_key');
    if (isSuspended || this.withdrawn.has(tenantId)) throw new WeirError('tenant_suspended');
  }

  private callerOf(key: UsableKey): Caller {
    const caller = toCaller(key);
    this.lookupIds.set(caller, key.lookupId);
    return caller;
  }

  private verifyInFull(presented: string): Verified {
    const parsed = parseKey(presented);
    const key = parsed?.kind === 'sk' ? this.keys.get(parsed.lookupId) : undefined;
    // An unknown key is compared too, so that the time taken tells nothing.
    const matches = sameDigest(digestOf(this.keyring.pepper, presented), key ? Buffer.from(key.digest, 'base64') : NO_DIGEST);
    if (!key || !matches) throw new WeirError('invalid_api_key');
    return { key, caller: this.callerOf(key), from: key.cidrs && new Networks(key.cidrs) };
  }
}

const toCaller = (key: UsableKey): Caller => ({
  tenantId: key.tenantId,
  projectId: key.projectId,
  apiKeyId: key.id,
  keyName: key.name,
  models: key.models && new Set(key.models),
  endpoints: key.endpoints && new Set(key.endpoints),
  maxOutputTokens: key.maxOutputTokens,
  maxCallCost: key.maxCallNano,
  shrinksToFit: key.fit === 'shrink',
  thinkingLevel: key.thinkingLevel as ThinkingLevel | null,
  dropsUnsupported: key.unsupported === 'drop',
  defaultModel: key.defaultModel,
  defaultModelFrom: key.defaultModelFrom,
  hasSessions: key.hasSessions,
  unpricedCallCost: key.unpricedCallNano,
  keepsAnswers: key.keepsAnswers,
  scopes: [
    { kind: 'tenant', value: publicId('tenant', key.tenantId) },
    { kind: 'project', value: publicId('project', key.projectId) },
    { kind: 'api_key', value: publicId('apiKey', key.id) },
  ],
});
