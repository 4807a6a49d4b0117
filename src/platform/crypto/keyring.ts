import { createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { newId } from '../../kernel/ids.js';
import type { Pool } from '../postgres/pool.js';
import { Secret } from './secret.js';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = 1;

/** AES-256-GCM: `format | iv | tag | ciphertext`. `context` is authenticated: a sealed value moved elsewhere cannot be opened. */
function seal(key: Buffer, plaintext: Buffer, context: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(context));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.of(FORMAT), iv, cipher.getAuthTag(), ciphertext]);
}

/** @throws when the key, the context or any byte differs from what was sealed. */
function open(key: Buffer, sealed: Buffer, context: string): Buffer {
  if (sealed[0] !== FORMAT || sealed.length < 1 + IV_BYTES + TAG_BYTES) throw new Error('the sealed value has an unknown format');
  const iv = sealed.subarray(1, 1 + IV_BYTES);
  const tag = sealed.subarray(1 + IV_BYTES, 1 + IV_BYTES + TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(1 + IV_BYTES + TAG_BYTES)), decipher.final()]);
}

/** The master key of a database is another one than the process was given. */
export class MasterKeyMismatch extends Error {}

/**
 * The keys of the installation. The master key (configuration) wraps the data keys (database), and the data keys seal credentials and hash
 * API keys, so that the master key can be replaced without touching either.
 */
export class Keyring {
  private constructor(
    /** HMAC key for API-key digests. A key object, because a call's HMAC costs a quarter with one. */
    readonly pepper: KeyObject,
    private readonly sealingKey: Buffer,
    private readonly stored: () => Promise<Buffer>,
  ) {}

  /**
   * Opens the data keys, creating them in an empty database.
   * @throws MasterKeyMismatch when the database was set up under another master key.
   */
  static async open(pool: Pool, masterKey: string): Promise<Keyring> {
    const kek = Buffer.from(hkdfSync('sha256', masterKey, '', 'weir master key', 32));
    const pepper = createSecretKey(await dataKey(pool, kek, 'pepper'));
    return new Keyring(pepper, await dataKey(pool, kek, 'credentials'), () => dataKey(pool, kek, 'credentials'));
  }

  /**
   * What is sealed now can be opened by whoever starts on this database with this master key.
   * @throws MasterKeyMismatch when the database has other keys by now, e.g. because another installation's backup was restored under this process.
   */
  async verify(): Promise<void> {
    if (!(await this.stored()).equals(this.sealingKey)) throw new MasterKeyMismatch('the data keys of this database were replaced');
  }

  /** @param context what the value belongs to, e.g. `tenant|provider|origin|purpose`; needed unchanged to open it. */
  seal(secret: Secret, context: string): Buffer {
    return seal(this.sealingKey, Buffer.from(secret.reveal()), context);
  }

  open(sealed: Buffer, context: string): Secret {
    return new Secret(open(this.sealingKey, sealed, context).toString());
  }
}

async function dataKey(pool: Pool, kek: Buffer, purpose: string): Promise<Buffer> {
  const context = `v1|data-key|${purpose}`;
  // Processes that start together agree on whichever key is stored first.
  await pool.query(
    'INSERT INTO data_keys (id, purpose, version, wrapped) VALUES ($1, $2, 1, $3) ON CONFLICT (purpose, version) DO NOTHING',
    [newId(), purpose, seal(kek, randomBytes(32), context)],
  );
  const { rows } = await pool.query<{ wrapped: Buffer }>('SELECT wrapped FROM data_keys WHERE purpose = $1 ORDER BY version DESC LIMIT 1', [
    purpose,
  ]);
  try {
    return open(kek, rows[0]!.wrapped, context);
  } catch {
    throw new MasterKeyMismatch('the master key does not open this database: set WEIR_MASTER_KEY to the one it was set up with');
  }
}

/** A digest to compare request bodies by; not for secrets. */
export const fingerprint = (...parts: string[]): Buffer => createHash('sha256').update(parts.join('\0')).digest();
