import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { hexOf, idOfHex } from '../../kernel/ids.js';
import type { Pool } from '../postgres/pool.js';
import type { Logger } from '../telemetry/index.js';
import { type DataKey, DataKeys, type MasterKeys } from './data-keys.js';
import { open, seal } from './sealing.js';
import { Secret } from './secret.js';

/** Sealed by the one key an installation had for everything: `1 | iv | tag | ciphertext`. */
const BY_INSTALLATION = 1;
/** Sealed by the key of its owner: `2 | id of the key | iv | tag | ciphertext`. */
const BY_OWNER = 2;
const KEY_ID_BYTES = 16;

/**
 * The keys of the installation. The master key (configuration) wraps the data keys (database), and the data keys seal credentials and hash
 * API keys, so that the master key can be replaced without touching either. Each tenant, and the platform, has a data key of its own.
 */
export class Keyring {
  private constructor(
    /** HMAC key for API-key digests. A key object, because a call's HMAC costs a quarter with one. */
    readonly pepper: KeyObject,
    private readonly dataKeys: DataKeys,
  ) {}

  /**
   * Opens the data keys, creating what is missing in an empty database, and wraps by the current master key what is still wrapped by the previous.
   * @throws MasterKeyMismatch when the database was set up under another master key.
   */
  static async open(pool: Pool, masterKeys: MasterKeys, log: Logger): Promise<Keyring> {
    const dataKeys = new DataKeys(pool, masterKeys);
    const { rewrapped, unopened } = await dataKeys.load();
    const { key } = await dataKeys.forPurpose('pepper');
    if (unopened.length > 0)
      log.error(
        { keys: unopened },
        'WEIR_MASTER_KEY does not open these data keys, so the credentials sealed by them cannot be used; set WEIR_MASTER_KEY_PREVIOUS to the one before and start again',
      );
    else if (masterKeys.previous !== null)
      log.info(
        { rewrapped },
        'all data keys are wrapped by WEIR_MASTER_KEY; once no process runs on the one before, take WEIR_MASTER_KEY_PREVIOUS away',
      );
    return new Keyring(createSecretKey(key), dataKeys);
  }

  /**
   * Seals by the key of its owner what whoever starts on this database with this master key can open.
   * @param owner a tenant's id; null: the platform.
   * @param context what the value belongs to, e.g. `tenant|credential|origin|purpose`; needed unchanged to open it.
   * @throws MasterKeyMismatch when the database has other keys by now, e.g. because another installation's backup was restored under this process.
   */
  async seal(owner: string | null, secret: Secret, context: string): Promise<Buffer> {
    return sealed(await this.dataKeys.forPurpose(purposeOf(owner)), Buffer.from(secret.reveal()), context);
  }

  /**
   * Seals bytes that may be lost by the key of a tenant, without asking whether the database still has that key.
   * @throws MasterKeyMismatch
   */
  async sealBytes(tenantId: string, bytes: Buffer, context: string): Promise<Buffer> {
    const purpose = purposeOf(tenantId);
    return sealed(this.dataKeys.known(purpose) ?? (await this.dataKeys.forPurpose(purpose)), bytes, context);
  }

  /** Lets go of the key of an owner that was deleted. */
  forget(owner: string): void {
    this.dataKeys.forget(purposeOf(owner));
  }

  /** @throws when the context or any byte differs from what was sealed, or no master key here opens its data key. */
  async open(sealed: Buffer, context: string): Promise<Secret> {
    return new Secret((await this.openBytes(sealed, context)).toString());
  }

  /** @throws as open */
  async openBytes(sealed: Buffer, context: string): Promise<Buffer> {
    if (sealed[0] === BY_OWNER) {
      const { key } = await this.dataKeys.withId(idOfHex(sealed.toString('hex', 1, 1 + KEY_ID_BYTES).padEnd(32, '0')));
      return open(key, sealed.subarray(1 + KEY_ID_BYTES), context);
    }
    if (!isSealedByInstallation(sealed)) throw new Error('the sealed value has an unknown format');
    const { key } = await this.dataKeys.existing('credentials');
    return open(key, sealed.subarray(1), context);
  }
}

const purposeOf = (owner: string | null): string => (owner === null ? 'platform' : `tenant:${owner}`);

const sealed = ({ id, key }: DataKey, bytes: Buffer, context: string): Buffer =>
  Buffer.concat([Buffer.of(BY_OWNER), Buffer.from(hexOf(id), 'hex'), seal(key, bytes, context)]);

/** As before each owner had a key. */
export const isSealedByInstallation = (sealed: Buffer): boolean => sealed[0] === BY_INSTALLATION;

/** A digest to compare request bodies by; not for secrets. */
export const fingerprint = (...parts: string[]): Buffer => createHash('sha256').update(parts.join('\0')).digest();
