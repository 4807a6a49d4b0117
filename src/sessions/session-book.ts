import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { ConfigChanges } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import type { Session, SessionDefaults, SessionKey } from './session.js';
import { SessionsRepository } from './sessions.repository.js';

/** A Postgres that does not answer is told by the ledger a moment later; until then no call waits for defaults. */
const PATIENCE_MS = 2_000;
/** What another process changed is seen after this. */
const FRESH_MS = 500;
const MAX_SESSIONS = 10_000;

interface Read {
  at: number;
  session: Promise<Session | null>;
}

/** The defaults of sessions, read when a call of one comes. There may be any number of sessions, so they are not all in memory. */
@Injectable()
export class SessionBook {
  private readonly read = new Map<string, Read>();

  constructor(
    private readonly repository: SessionsRepository,
    private readonly changes: ConfigChanges,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Null: it has none. @throws WeirError ledger_unavailable */
  async defaults(key: SessionKey): Promise<SessionDefaults | null> {
    const late = new AbortController();
    const patience = delay(PATIENCE_MS, null, { signal: late.signal, ref: false }).then(() => {
      throw new Error('Postgres does not answer');
    });
    patience.catch(() => {});
    try {
      return await Promise.race([this.known(key), patience]);
    } catch (cause) {
      throw new WeirError('ledger_unavailable', { cause });
    } finally {
      late.abort();
    }
  }

  private known(key: SessionKey): Promise<Session | null> {
    const name = nameOf(key);
    const known = this.read.get(name);
    const now = performance.now();
    if (known && now - known.at < FRESH_MS) return known.session;
    if (this.read.size >= MAX_SESSIONS) this.read.clear();
    const session = this.find(key);
    this.read.set(name, { at: now, session });
    session.catch(() => this.read.delete(name));
    return session;
  }

  /** Defaults that calls of this process use from now on. */
  async put(session: Omit<Session, 'createdAt'>): Promise<Session> {
    const isFirst = await this.repository.noteProject(session);
    const saved = await this.repository.put(session);
    this.read.delete(nameOf(session));
    if (isFirst) await this.changes.catchUp();
    return saved;
  }

  /** False: there was none. */
  async delete(key: SessionKey): Promise<boolean> {
    const existed = await this.repository.delete(key);
    this.read.delete(nameOf(key));
    return existed;
  }

  /** As it is stored. Null: it has no defaults. */
  get(key: SessionKey): Promise<Session | null> {
    return this.repository.find(key);
  }

  private async find(key: SessionKey): Promise<Session | null> {
    const session = await this.repository.find(key);
    if (session?.isStale)
      this.repository.noteUse(key).catch((error: Error) => this.log.warn({ err: error.message }, 'could not note that a session is used'));
    return session;
  }
}

const nameOf = ({ tenantId, projectId, id }: SessionKey): string => `${tenantId} ${projectId} ${id}`;
