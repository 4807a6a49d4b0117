import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { ConfigChanges, OwnedMap } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { type CooldownReason, type Credential, isOpen, type Opened } from './credential.js';
import { COOLDOWN, CredentialsRepository } from './credentials.repository.js';
import { Cooldowns, Rotation } from './rotation.js';

/** A refused credential is tried again after this; entering it again is quicker. */
const REFUSED_REST_SECONDS = 600;
const RATE_LIMITED_REST_SECONDS = 30;
/** A cooldown is made longer by no less: each time is noted. */
const MIN_EXTENSION_MS = 500;

/** What is left of a provider's credentials after one was not wanted. */
export interface Remaining {
  /** How many it has in all. */
  credentials: number;
  /** Until one does not rest; 0: now. */
  readyInSeconds: number;
}

/** What a provider has. Null: credentials, but none that can be opened. */
interface Held {
  providerId: string;
  rotation: Rotation | null;
}

/** Credentials in memory, opened once when they change. */
@Injectable()
export class CredentialStore {
  private readonly byProvider = new OwnedMap<Held>(({ providerId }) => providerId);
  private readonly cooldowns = new Cooldowns();

  constructor(
    private readonly repository: CredentialsRepository,
    @Inject(LOGGER) private readonly log: Logger,
    changes: ConfigChanges,
  ) {
    changes.subscribe((owners) => this.byProvider.refill(owners, this.read(owners)), { first: true });
    changes.hear(COOLDOWN, {
      hear: (news) => {
        const [id, seconds, ...model] = news.split(' ');
        this.rest(id!, Number(seconds), model.length === 0 ? null : model.join(' '));
      },
      recall: async () => {
        for (const { id, seconds, model } of await this.repository.resting()) this.rest(id, seconds, model);
      },
    });
  }

  /**
   * The credential for the next call of a model; null: the provider has none.
   * @param origin where the provider is now. Providers and their keys are loaded one after the other.
   * @param session see {@link Rotation.pick}
   * @throws WeirError credential_unavailable when its key was entered for another.
   */
  find(providerId: string, origin: string, model: string, session: string | null): Credential | null {
    const credential = this.byProvider.get(providerId)?.rotation?.pick(session, model) ?? null;
    return credential && assertFor(credential, origin);
  }

  /** Credentials that a model may be called with now, in the order in which calls of a session go on to them. @throws WeirError credential_unavailable */
  ready(providerId: string, origin: string, model: string, session: string | null): Credential[] {
    return (this.byProvider.get(providerId)?.rotation?.ready(session, model) ?? []).map((credential) => assertFor(credential, origin));
  }

  /** Whether a model is not to be called with it now. */
  rests({ id }: Credential, model: string): boolean {
    return this.cooldowns.endOf(id, model) > performance.now();
  }

  /** One credential of the provider, whether it rests or not; null: it has no such. @throws WeirError credential_unavailable */
  pinned(providerId: string, origin: string, id: string): Credential | null {
    const credential = this.byProvider.get(providerId)?.rotation?.credentials.find((one) => one.id === id) ?? null;
    return credential && assertFor(credential, origin);
  }

  /** It has a credential, but none that can be opened: a call without it would be refused there, or be made as somebody else. */
  isUnreadable(providerId: string): boolean {
    return this.byProvider.get(providerId)?.rotation === null;
  }

  /**
   * The provider did not want a credential: the next calls get another, where there is one, here and in other processes. Noted in Postgres
   * without waiting.
   * @param forSeconds as the provider said; null: it did not.
   * @param model the one that it is not wanted for; null: all.
   */
  coolDown({ id, providerId }: Credential, reason: CooldownReason, forSeconds: number | null, model: string | null): Remaining {
    const seconds = reason === 'rate_limited' ? (forSeconds ?? RATE_LIMITED_REST_SECONDS) : REFUSED_REST_SECONDS;
    if (this.rest(id, seconds, model))
      this.noteRest(id, reason, seconds, model).catch((error: Error) => {
        this.log.warn({ credential: id, err: error.message }, 'could not store the health of a credential');
      });
    const rotation = this.byProvider.get(providerId)?.rotation;
    return { credentials: rotation?.credentials.length ?? 0, readyInSeconds: Math.ceil((rotation?.readyInMs(model) ?? 0) / 1000) };
  }

  private noteRest(id: string, reason: CooldownReason, seconds: number, model: string | null): Promise<void> {
    return model === null ? this.repository.noteRest(id, reason, seconds) : this.repository.noteRestOf(id, model, seconds);
  }

  /** Answers whether it rests longer than it did. */
  private rest(id: string, seconds: number, model: string | null): boolean {
    const now = performance.now();
    this.cooldowns.prune(now);
    const end = now + seconds * 1000;
    if (end < Math.max(now, this.cooldowns.endOf(id, model)) + MIN_EXTENSION_MS) return false;
    this.cooldowns.add(id, end, model);
    return true;
  }

  /** One that did not change stays the same object: what was fetched for it is remembered by it. */
  private same(read: Credential): Credential {
    const held = this.byProvider.get(read.providerId)?.rotation?.credentials.find(({ id }) => id === read.id);
    return held && held.origin === read.origin && held.secret.reveal() === read.secret.reveal() ? held : read;
  }

  private async *read(owners: readonly string[] | null): AsyncGenerator<[owner: string, held: Held[]]> {
    for await (const [owner, credentials] of this.repository.open(owners))
      yield [owner, [...Map.groupBy(credentials, ({ providerId }) => providerId)].map(([providerId, some]) => this.held(providerId, some))];
  }

  private held(providerId: string, credentials: Opened[]): Held {
    for (const { id, secret } of credentials)
      if (secret === null) this.log.error({ credential: id }, 'a credential cannot be opened; enter it again');
    const usable = credentials.filter(isOpen).map((one) => this.same(one));
    return { providerId, rotation: usable.length > 0 ? new Rotation(usable, this.cooldowns) : null };
  }
}

/** Providers and their keys are loaded one after the other. @throws WeirError credential_unavailable when it was entered for another address. */
function assertFor(credential: Credential, origin: string): Credential {
  if (credential.origin !== origin) throw new WeirError('credential_unavailable');
  return credential;
}
