import { Inject, Injectable } from '@nestjs/common';
import { Elapsed } from '../kernel/elapsed.js';
import { WeirError } from '../kernel/errors.js';
import { type Id, publicId } from '../kernel/ids.js';
import { digest, Keyring, requestDigest } from '../platform/crypto/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { type Claimed, IdempotencyRepository } from './idempotency.repository.js';
import { decodeAnswer, encodeAnswer, type KeptAnswer } from './kept-answer.js';

/** Of one answer, with its headers. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Of all answers of a tenant, sealed. */
const MAX_TENANT_BYTES = 256 * 1024 * 1024;
/** A claim without an open hold is freed at twice this age (see claim_call): its call must not be sent any more. */
const MAX_UNSENT_MS = 60_000;

/** A call that came with a key. */
export interface KeyedCall {
  callId: Id;
  tenantId: Id;
  apiKeyId: Id;
  endpoint: string;
  /** The client's. */
  key: string;
  /** The body, as it was sent. */
  body: string;
  /** What the headers ask for beyond it. */
  policy: string;
  /** The process that makes the call, as the owner of its hold. */
  gatewayId: Id;
  keepsAnswers: boolean;
}

/** The right to make the call of a key. Whoever has it either keeps the answer or frees the key, unless the ledger is to decide. */
export class Claim {
  constructor(
    private readonly claimed: Claimed,
    private since: Elapsed,
    private readonly keepsAnswers: boolean,
    private readonly service: IdempotencyService,
  ) {}

  /** Another call may have the key by now, if this one holds nothing. */
  get isOld(): boolean {
    return this.since.ms() > MAX_UNSENT_MS;
  }

  /** An attempt of the call was booked, and it goes on to another one: the ledger remembers the one before (see claim_call). */
  goesOn(): void {
    this.since = new Elapsed();
  }

  /** The call was charged. @param answer null: it is too large to keep. Never rejects. */
  keep(answer: KeptAnswer | null): Promise<void> {
    return this.service.keep(this.claimed, this.keepsAnswers ? answer : null);
  }

  /** The call did not get to its end. Never rejects. */
  free(): Promise<void> {
    return this.service.free(this.claimed);
  }
}

/** Makes a call that is sent again with the same `Idempotency-Key` once: its repeats get the first answer again. */
@Injectable()
export class IdempotencyService {
  constructor(
    private readonly repository: IdempotencyRepository,
    private readonly keyring: Keyring,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /**
   * A claim to make the call, or the answer of the call that was made.
   * @throws WeirError idempotency_in_progress, idempotency_mismatch, idempotency_spent, ledger_unavailable
   */
  async begin(call: KeyedCall): Promise<Claim | KeptAnswer> {
    const { callId, tenantId } = call;
    const claimed = {
      tenantId,
      callId,
      id: digest(this.keyring.pepper, 'idempotency-key', call.apiKeyId, call.endpoint, call.key).digest(),
    };
    const fingerprint = await requestDigest(this.keyring.pepper, 'idempotency-request', call.body, call.policy);
    // From before the statement: this process may be stopped while the answer waits for it.
    const since = new Elapsed();
    const answer = await this.repository.claim(claimed, fingerprint, call.gatewayId).catch((cause) => {
      void this.free(claimed); // It may have landed.
      throw new WeirError('ledger_unavailable', { cause });
    });
    switch (answer.became) {
      case 'claimed':
        return new Claim(claimed, since, call.keepsAnswers, this);
      case 'kept':
        if (!call.keepsAnswers) throw new WeirError('idempotency_spent');
        return this.open({ ...claimed, callId: answer.firstCall }, answer.kept);
      case 'running':
        throw new WeirError('idempotency_in_progress');
      case 'mismatch':
        throw new WeirError('idempotency_mismatch');
      case 'spent':
        throw new WeirError('idempotency_spent');
    }
  }

  async keep(claimed: Claimed, answer: KeptAnswer | null): Promise<void> {
    try {
      const encoded = answer && encodeAnswer(answer);
      const isKept = encoded !== null && encoded.length <= MAX_ANSWER_BYTES;
      const sealed = isKept ? await this.keyring.sealBytes(claimed.tenantId, encoded, contextOf(claimed)) : null;
      await this.repository.keep(claimed, sealed, MAX_TENANT_BYTES);
    } catch (err) {
      // The ledger knows that the call was charged: its repeats are told that the key is spent.
      this.log.warn({ err, call: publicId('call', claimed.callId) }, 'an answer could not be kept for its Idempotency-Key');
    }
  }

  async free(claimed: Claimed): Promise<void> {
    await this.repository.free(claimed).catch((err) => {
      this.log.warn({ err, call: publicId('call', claimed.callId) }, 'an Idempotency-Key could not be freed; the ledger will decide');
    });
  }

  /** Removes what is a day old, and the answers of tenants that keep none. Answers how many. */
  purge(patienceMs: number): Promise<number> {
    return this.repository.purge(patienceMs);
  }

  private async open(claimed: Claimed, sealed: Buffer): Promise<KeptAnswer> {
    try {
      return decodeAnswer(await this.keyring.openBytes(sealed, contextOf(claimed)));
    } catch (cause) {
      this.log.error({ err: cause, call: publicId('call', claimed.callId) }, 'a kept answer cannot be opened');
      throw new WeirError('idempotency_spent', { cause });
    }
  }
}

const contextOf = ({ tenantId, id, callId }: Claimed): string => `v1|answer|${tenantId}|${callId}|${id.toString('hex')}`;
