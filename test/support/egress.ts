import type { LookupAddress } from 'node:dns';
import type { ProxyAddress } from '../../src/platform/config/index.js';
import { DestinationGuard, Egress, type EgressError, ProxyConnector } from '../../src/platform/egress/index.js';
import type { Logger } from '../../src/platform/telemetry/index.js';

const TIMEOUTS = { connectMs: 2_000, firstByteMs: 5_000, progressMs: 5_000, totalMs: 10_000 };

export const address = (text: string, family: 4 | 6 = 4): LookupAddress => ({ address: text, family });

/** A resolver that answers each question with the next of these, the last one again and again. */
export function scriptedNames(...answers: LookupAddress[][]): {
  asked: string[];
  lookup: ConstructorParameters<typeof DestinationGuard>[1];
} {
  const asked: string[] = [];
  return {
    asked,
    lookup: (name, done) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)]!;
      asked.push(name);
      setImmediate(() => done(null, answer));
    },
  };
}

export const openEgress = (
  allowed: string[],
  lookup?: ConstructorParameters<typeof DestinationGuard>[1],
  timeouts: Partial<typeof TIMEOUTS> = {},
): Egress => egressBehind(new DestinationGuard(allowed, lookup), timeouts);

export const egressBehind = (guard: DestinationGuard, timeouts: Partial<typeof TIMEOUTS> = {}): Egress =>
  new Egress(guard, { ...TIMEOUTS, ...timeouts }, 'weir-test');

/** Goes through a proxy, and hands over what it logs. */
export function egressThrough(
  proxy: ProxyAddress,
  guard: DestinationGuard,
  { timeouts = {}, logged = () => {} }: { timeouts?: Partial<typeof TIMEOUTS>; logged?: (line: unknown[]) => void } = {},
): Egress {
  const all = { ...TIMEOUTS, ...timeouts };
  const log = { warn: (...line: unknown[]) => logged(line) } as unknown as Logger;
  return new Egress(guard, all, 'weir-test', new ProxyConnector(proxy, guard, all.connectMs, log));
}

export interface Sent {
  status: number | null;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  error: EgressError | null;
  /** It was about to be written. */
  sending: boolean;
}

/** Sends one request, and answers whatever becomes of it. */
export function sendTo(egress: Egress, origin: string, headers: string[] = []): Promise<Sent> {
  const sent: Sent = { status: null, headers: {}, body: '', error: null, sending: false };
  return new Promise((resolve) =>
    egress.send(
      { origin, path: '/v1/x', headers, body: '{}' },
      {
        onSending() {
          sent.sending = true;
        },
        onHead(status, received) {
          sent.status = status;
          sent.headers = received;
        },
        onData(chunk) {
          sent.body += chunk.toString();
        },
        onEnd: () => resolve(sent),
        onError: (error) => resolve({ ...sent, error }),
      },
    ),
  );
}
