import { hkdfSync, randomBytes } from 'node:crypto';
import { newId } from '../../kernel/ids.js';
import type { Pool } from '../postgres/pool.js';
import { outsideTenantScope } from '../postgres/tenant-scope.js';
import { open, seal } from './sealing.js';

/** No master key of this process opens a data key, or the database has other data keys by now. */
export class MasterKeyMismatch extends Error {}

/** What data keys are wrapped by. Its id tells nothing of it but whether it is the same. */
interface MasterKey {
  id: string;
  key: Buffer;
}

/** The master keys of the configuration, as text. */
export interface MasterKeys {
  current: string;
  /** The one before, while it is being replaced; null: there is none. */
  previous: string | null;
}

export interface DataKey {
  id: string;
  purpose: string;
  key: Buffer;
}

interface Row {
  id: string;
  purpose: string;
  wrapped: Buffer;
  /** Null: not noted yet. */
  master_key: string | null;
}

const WRAPPED = 1;
const BATCH = 500;
const COLUMNS = 'id, purpose, wrapped, master_key';

/**
 * The data keys of the installation: random, kept in Postgres wrapped by the master key, opened once into memory. Whatever is read and found
 * wrapped by the previous master key is wrapped by the current one there and then; any number of processes may do so at once.
 */
export class DataKeys {
  private readonly current: MasterKey;
  private readonly masters: MasterKey[];
  private readonly opened = new Map<string, DataKey>();
  private readonly byPurpose = new Map<string, DataKey>();

  constructor(
    private readonly pool: Pool,
    masterKeys: MasterKeys,
  ) {
    this.current = masterKey(masterKeys.current);
    this.masters = [this.current, ...(masterKeys.previous === null ? [] : [masterKey(masterKeys.previous)])];
  }

  /** Opens every data key there is. Answers how many were wrapped anew, and the purposes of those that no master key here opens. */
  async load(): Promise<{ rewrapped: number; unopened: string[] }> {
    const rows = await this.query(`SELECT ${COLUMNS} FROM data_keys`, []);
    const unopened = rows.filter((row) => !this.tryOpen(row)).map(({ purpose }) => purpose);
    return { rewrapped: await this.rewrap(rows), unopened };
  }

  /**
   * The key for a purpose, made where there is none. What is sealed by it now can be opened by whoever starts on this database.
   * @throws MasterKeyMismatch
   */
  async forPurpose(purpose: string): Promise<DataKey> {
    const row = (await this.find(purpose)) ?? (await this.create(purpose));
    const known = this.opened.get(row.id);
    // Another process has wrapped it by a newer master key: it is the same key.
    if (known && row.master_key !== null && !this.masters.some(({ id }) => id === row.master_key)) return known;
    const key = this.unwrap(row);
    if (known && !known.key.equals(key)) throw new MasterKeyMismatch('the data keys of this database were replaced');
    return this.keep(row, key);
  }

  /** The key for a purpose as it was opened last, without asking whether the database still has it. */
  known(purpose: string): DataKey | undefined {
    return this.byPurpose.get(purpose);
  }

  /** The key for a purpose, where there is one. @throws MasterKeyMismatch */
  async existing(purpose: string): Promise<DataKey> {
    const known = this.known(purpose);
    if (known) return known;
    const row = await this.find(purpose);
    if (!row) throw new MasterKeyMismatch('this database has no such data key');
    return this.keep(row, this.unwrap(row));
  }

  /** @throws MasterKeyMismatch, also when there is no such key. */
  async withId(id: string): Promise<DataKey> {
    const known = this.opened.get(id);
    if (known) return known;
    const [row] = await this.query(`SELECT ${COLUMNS} FROM data_keys WHERE id = $1`, [id]);
    if (!row) throw new MasterKeyMismatch('this database has no such data key');
    const key = this.keep(row, this.unwrap(row));
    await this.rewrap([row]);
    return key;
  }

  /** Lets go of a key that was destroyed. */
  forget(purpose: string): void {
    for (const [id, dataKey] of this.opened) if (dataKey.purpose === purpose) this.opened.delete(id);
    this.byPurpose.delete(purpose);
  }

  private async find(purpose: string): Promise<Row | undefined> {
    return (await this.query(`SELECT ${COLUMNS} FROM data_keys WHERE purpose = $1 ORDER BY version DESC LIMIT 1`, [purpose]))[0];
  }

  /** Processes that need it at once agree on whichever is stored first. */
  private async create(purpose: string): Promise<Row> {
    const wrapped = this.wrap(randomBytes(32), purpose);
    await this.query(
      'INSERT INTO data_keys (id, purpose, version, wrapped, master_key) VALUES ($1, $2, 1, $3, $4) ON CONFLICT (purpose, version) DO NOTHING',
      [newId(), purpose, wrapped, this.current.id],
    );
    return (await this.find(purpose))!;
  }

  /** Wraps by the current master key what was wrapped by another. A row that changed since it was read is somebody else's work. */
  private async rewrap(rows: Row[]): Promise<number> {
    const stale = rows.filter((row) => row.master_key !== this.current.id && this.opened.has(row.id));
    let count = 0;
    for (let at = 0; at < stale.length; at += BATCH) {
      const batch = stale.slice(at, at + BATCH);
      const done = await this.query(
        `UPDATE data_keys d SET wrapped = n.wrapped, master_key = $4 FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS n (id, before, wrapped)
         WHERE d.id = n.id AND d.wrapped = n.before RETURNING d.id`,
        [
          batch.map(({ id }) => id),
          batch.map(({ wrapped }) => wrapped),
          batch.map(({ id, purpose }) => this.wrap(this.opened.get(id)!.key, purpose)),
          this.current.id,
        ],
      );
      count += done.length;
    }
    return count;
  }

  private tryOpen(row: Row): boolean {
    try {
      this.keep(row, this.unwrap(row));
      return true;
    } catch {
      return false;
    }
  }

  private keep({ id, purpose }: Row, key: Buffer): DataKey {
    const dataKey = this.opened.get(id) ?? { id, purpose, key };
    this.opened.set(id, dataKey);
    this.byPurpose.set(purpose, dataKey);
    return dataKey;
  }

  private wrap(key: Buffer, purpose: string): Buffer {
    return Buffer.concat([Buffer.of(WRAPPED), seal(this.current.key, key, contextOf(purpose))]);
  }

  private unwrap({ wrapped, purpose }: Row): Buffer {
    for (const { key } of wrapped[0] === WRAPPED ? this.masters : []) {
      try {
        return open(key, wrapped.subarray(1), contextOf(purpose));
      } catch {
        // Perhaps by the other one.
      }
    }
    throw new MasterKeyMismatch(
      'the master key does not open this database: set WEIR_MASTER_KEY to the one it was set up with, or WEIR_MASTER_KEY_PREVIOUS to it while you replace it',
    );
  }

  /** The keys are the platform's, also in the midst of a tenant's work. */
  private async query(text: string, values: unknown[]): Promise<Row[]> {
    return (await outsideTenantScope(() => this.pool.query<Row>(text, values))).rows;
  }
}

function masterKey(text: string): MasterKey {
  const derive = (info: string, bytes: number) => Buffer.from(hkdfSync('sha256', text, '', info, bytes));
  return { key: derive('weir master key', 32), id: derive('weir master key id', 8).toString('hex') };
}

const contextOf = (purpose: string): string => `v1|data-key|${purpose}`;
