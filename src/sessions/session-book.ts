import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import type { Session, SessionDefaults } from './session.js';
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
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Null: it has none. @throws WeirError ledger_unavailable */
  async defaults(tenantId: string, id: string): Promise<SessionDefaults | null> {
    const late = new AbortController();
    const patience = delay(PATIENCE_MS, null, { signal: late.signal, ref: false }).then(() => {
      throw new Error('Postgres does not answer');
    });
    patience.catch(() => {});
    try {
      return await Promise.race([this.known(tenantId, id), patience]);
    } catch (cause) {
      throw new WeirError('ledger_unavailable', { cause });
    } finally {
      late.abort();
    }
  }

  private known(tenantId: string, id: string): Promise<Session | null> {
    const key = `${tenantId} ${id}`;
    const known = this.read.get(key);
    const now = performance.now();
    if (known && now - known.at < FRESH_MS) return known.session;
    if (this.read.size >= MAX_SESSIONS) this.read.clear();
    const session = this.find(tenantId, id);
    this.read.set(key, { at: now, session });
    session.catch(() => this.read.delete(key));
    return session;
  }

  /** Defaults that calls of this process use from now on. */
  async put(session: Omit<Session, 'createdAt'>): Promise<Session> {
    const saved = await this.repository.put(session);
    this.read.delete(`${session.tenantId} ${session.id}`);
    return saved;
  }

  /** False: there was none. */
  async delete(tenantId: string, id: string): Promise<boolean> {
    const existed = await this.repository.delete(tenantId, id);
    this.read.delete(`${tenantId} ${id}`);
    return existed;
  }

  /** As it is stored. Null: it has no defaults. */
  get(tenantId: string, id: string): Promise<Session | null> {
    return this.repository.find(tenantId, id);
  }

  private async find(tenantId: string, id: string): Promise<Session | null> {
    const session = await this.repository.find(tenantId, id);
    if (session?.isStale)
      this.repository
        .noteUse(tenantId, id)
        .catch((error: Error) => this.log.warn({ err: error.message }, 'could not note that a session is used'));
    return session;
  }
}
