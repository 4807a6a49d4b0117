import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import { join } from 'node:path';
import { hexOf, idOfHex } from '../kernel/ids.js';
import { journalPath, readJournal } from './journal.js';

const ID_BYTES = 16;
const ERASED = '00'.repeat(ID_BYTES);
/** The gateway, the host it ran on and its process: a process id says nothing about another host, e.g. another container on the same volume. */
const FILE = /^([0-9a-f-]{36})\.(.+)\.(\d+)$/;

/**
 * Which calls this process has sent to a provider and not yet booked, in a small file that survives a kill -9: one write into the page cache
 * per call. What the file does not name was not sent, so its hold can be voided instead of guessed at.
 */
export class SentMarks {
  private readonly path: string;
  private readonly file: number;
  private readonly free: number[] = [];
  private slots = 0;
  private readonly bytes = Buffer.alloc(ID_BYTES);

  constructor(directory: string, gatewayId: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.path = join(directory, `${gatewayId}.${hostname()}.${process.pid}`);
    this.file = openSync(this.path, 'wx', 0o600);
  }

  /** Notes a call just before its request is written. Answers its slot. @throws when the disk does not take it: then the call may not be sent. */
  mark(callId: string): number {
    const slot = this.free.pop() ?? this.slots++;
    this.bytes.write(hexOf(callId), 'hex');
    try {
      if (writeSync(this.file, this.bytes, 0, ID_BYTES, slot * ID_BYTES) < ID_BYTES) throw new Error('the disk is full');
    } catch (error) {
      this.free.push(slot);
      throw error;
    }
    return slot;
  }

  /** The call is booked: its slot may be used again. What stands there still does no harm, its hold is no longer open. */
  clear(slot: number): void {
    this.free.push(slot);
  }

  /** What was sent was refused, at no cost: nothing is to be booked of it. */
  erase(slot: number): void {
    writeSync(this.file, Buffer.alloc(ID_BYTES), 0, ID_BYTES, slot * ID_BYTES);
    this.free.push(slot);
  }

  /** The process ends in order. Unless all its calls are booked, its file stays for the next start to find. */
  close(allBooked: boolean): void {
    closeSync(this.file);
    if (allBooked) rmSync(this.path, { force: true });
  }
}

export interface DeadGateway {
  gatewayId: string;
  /** Calls it had sent; some may have been booked since. Null: not known. */
  sent: string[] | null;
  /** Settlements it could not book, by call id. */
  journal: Map<string, string>;
  /** Call once its holds are resolved and its journal is booked. */
  forget(): void;
}

/** Gateways that left marks in this directory and whose process, of this host, is gone. */
export function findDeadGateways(directory: string, ownGatewayId: string): DeadGateway[] {
  return readdirSync(directory).flatMap((name) => {
    const [, gatewayId, host, pid] = FILE.exec(name) ?? [];
    if (!gatewayId || gatewayId === ownGatewayId || host !== hostname() || isAlive(Number(pid))) return [];
    const path = join(directory, name);
    const journal = journalPath(directory, gatewayId);
    const forget = () => {
      rmSync(journal, { force: true });
      rmSync(path, { force: true });
    };
    return [{ gatewayId, sent: isWhole(path) ? readIds(path) : null, journal: readJournal(journal), forget }];
  });
}

/** The last marks were not on disk yet when the machine lost its power. It was started again since, if the file is older than that. */
const isWhole = (path: string): boolean => statSync(path).mtimeMs >= Date.now() - uptime() * 1_000;

/** A process of our own pid is ourselves, so the file is of an earlier one, as in a restarted container. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readIds(path: string): string[] {
  const hex = readFileSync(path).toString('hex');
  return (hex.match(/.{32}/g) ?? []).filter((id) => id !== ERASED).map(idOfHex);
}
