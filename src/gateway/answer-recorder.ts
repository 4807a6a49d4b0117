import { type Claim, type KeptAnswer, MAX_ANSWER_BYTES } from '../idempotency/index.js';

/** Bytes that all recorders of a process may have in memory. */
const MAX_BYTES = 256 * 1024 * 1024;
let recorded = 0;

/** Keeps what the client of a call with an `Idempotency-Key` is sent, so that a repeat can be sent the same. */
export class AnswerRecorder {
  private headers: Record<string, string> = {};
  /** Null: there is too much of it. */
  private pieces: Buffer[] | null = [];
  private bytes = 0;
  private isLeftToLedger = false;

  constructor(private readonly claim: Claim) {}

  /** The call holds nothing yet, and another one may have the key by now. */
  get isTooLate(): boolean {
    return this.claim.isOld;
  }

  /** The call goes on to another attempt. */
  goesOn(): void {
    this.claim.goesOn();
  }

  /** The head goes out. */
  begin(headers: Record<string, string>): void {
    this.headers = headers;
  }

  add(piece: Buffer): void {
    if (this.pieces === null) return;
    if (this.bytes + piece.length > MAX_ANSWER_BYTES || recorded + piece.length > MAX_BYTES) return this.drop();
    this.pieces.push(piece);
    this.bytes += piece.length;
    recorded += piece.length;
  }

  /** The answer is whole, and was charged. Resolves when a repeat gets it. Never rejects. */
  async keep(): Promise<void> {
    this.isLeftToLedger = true;
    const answer: KeptAnswer | null = this.pieces && { headers: this.headers, body: Buffer.concat(this.pieces) };
    await this.claim.keep(answer);
  }

  /** The call was charged, and its answer is withheld: the ledger says what becomes of the key. */
  leaveToLedger(): void {
    this.isLeftToLedger = true;
  }

  /** The call is over. Without an answer that was whole, its key is free again. Never rejects. */
  async end(): Promise<void> {
    this.drop();
    if (!this.isLeftToLedger) await this.claim.free();
  }

  private drop(): void {
    this.pieces = null;
    recorded -= this.bytes;
    this.bytes = 0;
  }
}
