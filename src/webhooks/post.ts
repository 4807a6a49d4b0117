import { EgressError, type EgressRequest, type Transport } from '../platform/egress/index.js';

/** Of a reply: nobody reads it. */
const MAX_REPLY_BYTES = 16 * 1024;

/**
 * Sends a request and answers its status. The body of the reply is let go of, and one that does not end soon is broken off.
 * @param totalMs for all of it.
 * @throws EgressError when there is no status.
 */
export function statusOf(transport: Transport, request: EgressRequest, totalMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let status: number | null = null;
    let bytes = 0;
    const end = (error: EgressError | null) => {
      clearTimeout(deadline);
      if (status !== null) resolve(status);
      else reject(error!);
    };
    const exchange = transport.send(request, {
      onSending() {},
      onHead(code) {
        status = code;
      },
      onData(chunk) {
        bytes += chunk.length;
        if (bytes <= MAX_REPLY_BYTES) return;
        exchange.cancel();
        end(null);
      },
      onEnd: () => end(null),
      onError: end,
    });
    const deadline = setTimeout(() => {
      exchange.cancel();
      end(new EgressError('timeout', new Error('deadline'), true));
    }, totalMs);
  });
}
