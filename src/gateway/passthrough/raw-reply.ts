import type { WeirError } from '../../kernel/errors.js';
import { Reply } from '../reply.js';

/** The way back to the client of what a provider answers, as it is. The end of it waits for {@link finish}. */
export class RawReply extends Reply {
  /** Sends the head. Without a length, so that an answer is whole for nobody before its end was sent. */
  begin(status: number, headers: Readonly<Record<string, string>>): void {
    this.started = true;
    this.response.on('drain', () => this.onDrain?.());
    this.response.writeHead(status, { ...this.headers, ...headers });
  }

  /** Sends a piece. False: the client is slow, wait for `onDrain`. */
  piece(bytes: Buffer): boolean {
    return this.response.write(bytes);
  }

  finish(): void {
    this.response.end();
  }

  /** Once something of a provider's answer is there, no error of Weir's can stand behind it. */
  override fail(error: WeirError): void {
    if (this.started) this.abort();
    else super.fail(error);
  }
}
