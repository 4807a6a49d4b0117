import { EgressError, type EgressRequest, type Transport } from './egress.js';
import { PlainReply } from './plain-reply.js';

export interface WholeAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/**
 * Sends a request and waits for its whole answer: for the small ones, e.g. for a token or of a probe.
 * @param bounds of the answer's body, and of the time until all of it is there.
 * @throws EgressError
 */
export function fetchBuffered(
  transport: Transport,
  request: EgressRequest,
  { maxBytes, totalMs }: { maxBytes: number; totalMs: number },
): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let head: Omit<WholeAnswer, 'body'> = { status: 0, headers: {} };
    let bytes = 0;
    const deadline = setTimeout(() => giveUp(new EgressError('timeout', new Error('deadline'))), totalMs);
    const giveUp = (error: EgressError) => {
      clearTimeout(deadline);
      exchange.cancel();
      reject(error);
    };
    const sink = {
      onSending() {},
      onHead(status: number, headers: WholeAnswer['headers']) {
        head = { status, headers };
      },
      onData(chunk: Buffer) {
        bytes += chunk.length;
        if (bytes > maxBytes) return giveUp(new EgressError('interrupted', new Error('the answer is too long')));
        chunks.push(chunk);
        exchange.progress();
      },
      onEnd() {
        clearTimeout(deadline);
        resolve({ ...head, body: Buffer.concat(chunks) });
      },
      onError: giveUp,
      onUnreadable: (cause: Error) => giveUp(new EgressError('interrupted', cause)),
    };
    const exchange = transport.send(request, new PlainReply(sink));
  });
}
