import { readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crashPoint } from '../platform/faults/index.js';
import { Batcher } from '../platform/postgres/index.js';

/** Where a gateway keeps the settlements that Postgres has not confirmed. */
export const journalPath = (directory: string, gatewayId: string): string => join(directory, `${gatewayId}.journal`);

/**
 * Settlements that could not be booked in time, on this machine's disk: once a line is synced, the booking survives the process. One JSON
 * line per settlement, as Postgres will be given it.
 *
 * A file that failed a write or a sync is not trusted again: it may end in half a line, and the kernel takes what it could not write for
 * written. What is promised then goes into another one, whole, that takes its name.
 */
export class Journal {
  private file: FileHandle | null = null;
  private damaged = false;
  /** The lines that are promised to be there, or are about to be, by call id. */
  private readonly kept = new Map<string, string>();
  private readonly lines: Batcher<string, void>;

  constructor(private readonly path: string) {
    // One write at a time, emptying included: what is promised to be there must not be cut off by a truncation that was asked for before.
    this.lines = new Batcher(async (batch) => {
      if (this.kept.size === 0) await this.empty();
      else if (this.damaged) await this.writeAnew();
      else await this.extend(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    });
  }

  /** Resolves when the settlement is on disk. @throws when the disk refuses it. */
  async append(id: string, settlement: string): Promise<void> {
    const line = `${settlement}\n`;
    this.kept.set(id, line);
    try {
      await this.lines.add(line);
    } catch (error) {
      this.kept.delete(id);
      throw error;
    }
  }

  /** Postgres has it. When that is true of all of them, the file is emptied. */
  async forget(id: string): Promise<void> {
    if (this.kept.delete(id) && this.kept.size === 0) await this.lines.add('');
  }

  /** The process ends in order. Unless all its calls are booked, the file stays for the next start to find. */
  async close(allBooked: boolean): Promise<void> {
    await this.file?.close();
    if (allBooked) rmSync(this.path, { force: true });
  }

  private async extend(lines: string[]): Promise<void> {
    try {
      this.file ??= await this.create(this.path);
      await this.file.appendFile(lines.join(''));
      await this.file.datasync();
    } catch (error) {
      this.damaged = true;
      throw error;
    }
    crashPoint('journal_appended');
  }

  private async writeAnew(): Promise<void> {
    const draft = `${this.path}.new`;
    await rm(draft, { force: true });
    const file = await this.create(draft);
    try {
      await file.appendFile([...this.kept.values()].join(''));
      await file.datasync();
      await rename(draft, this.path);
      await this.syncDirectory();
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.replace(file);
    crashPoint('journal_appended');
  }

  private async empty(): Promise<void> {
    if (!this.damaged) return this.file?.truncate(0);
    await rm(this.path, { force: true });
    await this.replace(null);
  }

  private async replace(file: FileHandle | null): Promise<void> {
    const damaged = this.file;
    this.file = file;
    this.damaged = false;
    await damaged?.close().catch(() => {}); // it may fail for the same reason again, and nothing depends on it any more
  }

  private async create(path: string): Promise<FileHandle> {
    const file = await open(path, 'a', 0o600);
    await this.syncDirectory();
    return file;
  }

  /** Without its name in the directory a new file is lost with the power. */
  private async syncDirectory(): Promise<void> {
    const directory = await open(dirname(this.path), 'r');
    await directory.sync().finally(() => directory.close());
  }
}

/** The settlements in a journal, by call id. A last line that was cut off by a crash was never promised to anybody. */
export function readJournal(path: string): Map<string, string> {
  const settlements = new Map<string, string>();
  for (const line of readLines(path)) {
    const id = idIn(line);
    if (id) settlements.set(id, line);
  }
  return settlements;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function idIn(line: string): string | null {
  try {
    return (JSON.parse(line) as { id: string }).id;
  } catch {
    return null;
  }
}
