import { readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crashPoint } from '../platform/faults/index.js';
import { Batcher } from '../platform/postgres/index.js';

/** Where a gateway keeps the settlements that Postgres has not confirmed. */
export const journalPath = (directory: string, gatewayId: string): string => join(directory, `${gatewayId}.journal`);

/**
 * Settlements that could not be booked in time, on this machine's disk: once a line is synced, the booking survives the process. One JSON
 * line per settlement, as Postgres will be given it.
 */
export class Journal {
  private file: Promise<FileHandle> | null = null;
  private readonly kept = new Set<string>();
  private readonly lines: Batcher<string, void>;

  constructor(private readonly path: string) {
    // One write at a time, emptying included: what is promised to be there must not be cut off by a truncation that was asked for before.
    this.lines = new Batcher(async (lines) => {
      const file = await this.opened();
      if (this.kept.size === 0) {
        await file.truncate(0);
      } else {
        await file.appendFile(lines.join(''));
        await file.datasync();
        crashPoint('journal_appended');
      }
      return lines.map(() => undefined);
    });
  }

  /** Resolves when the settlement is on disk. @throws when the disk refuses it. */
  async append(id: string, settlement: string): Promise<void> {
    this.kept.add(id);
    try {
      await this.lines.add(`${settlement}\n`);
    } catch (error) {
      this.kept.delete(id);
      throw error;
    }
  }

  /** Postgres has it. When that is true of all of them, the file is emptied. */
  async forget(id: string): Promise<void> {
    if (this.kept.delete(id) && this.kept.size === 0) await this.lines.add('');
  }

  private async opened(): Promise<FileHandle> {
    this.file ??= this.create();
    try {
      return await this.file;
    } catch (error) {
      this.file = null;
      throw error;
    }
  }

  /** The directory is synced too: without its name in it a new file is lost with the power. */
  private async create(): Promise<FileHandle> {
    const file = await open(this.path, 'a', 0o600);
    const directory = await open(dirname(this.path), 'r');
    await directory.sync().finally(() => directory.close());
    return file;
  }

  /** The process ends in order. Unless all its calls are booked, the file stays for the next start to find. */
  async close(allBooked: boolean): Promise<void> {
    await (await this.file)?.close();
    if (allBooked) rmSync(this.path, { force: true });
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
