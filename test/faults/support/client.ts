import { Agent, request } from 'node:http';

/** How a call went, as its client saw it. */
export interface Seen {
  /** The output limit it asked for: unique in a run, it is in the hold and in the upstream's request, so it names the call everywhere. */
  readonly tag: number;
  readonly stream: boolean;
  /**
   * `whole`: the answer to its end. `refused`: a status of the gateway's own. `broken`: the answer broke off or ended in an error event.
   * `left`: the client went away. `unreached`: no answer at all.
   */
  readonly end: 'whole' | 'refused' | 'broken' | 'left' | 'unreached';
  readonly status: number | null;
  /** The gateway's error code, where it sent one. */
  readonly code: string | null;
  readonly text: string;
  /** Until the answer was over. */
  readonly ms: number;
}

export interface CallOptions {
  url: string;
  key: string;
  tag: number;
  stream: boolean;
  /** Told of each piece that arrives; the client leaves by `leave`, which is also given to `onSent`. */
  onData?: (text: string, leave: () => void) => void;
  /** The whole request was handed to the kernel. */
  onSent?: (leave: () => void) => void;
  agent?: Agent;
}

/** Connections are not shared between calls: what breaks one must not break another. */
const LONE = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

/** Makes one call and tells how it went; never rejects. No client library, because those retry, hide and tidy up. */
export function call({ url, key, tag, stream, onData, onSent, agent = LONE }: CallOptions): Promise<Seen> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let status: number | null = null;
    let text = '';
    let left = false;
    const finish = (broken: boolean) => {
      const end = left ? 'left' : status === null ? 'unreached' : broken ? 'broken' : status !== 200 ? 'refused' : endOf(stream, text);
      resolve({ tag, stream, end, status, code: codeIn(text), text, ms: performance.now() - startedAt });
    };
    const body = JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: tag, stream });
    const sending = request(`${url}/v1/chat/completions`, {
      method: 'POST',
      agent,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) },
    });
    const leave = () => {
      left = true;
      sending.destroy();
      finish(true);
    };
    sending.on('error', () => finish(true));
    sending.on('response', (response) => {
      status = response.statusCode!;
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
        onData?.(text, leave);
      });
      response.on('error', () => finish(true));
      response.on('close', () => finish(!response.complete));
    });
    sending.end(body, () => onSent?.(leave));
  });
}

const endOf = (stream: boolean, text: string): 'whole' | 'broken' =>
  stream ? (text.endsWith('data: [DONE]\n\n') ? 'whole' : 'broken') : text.endsWith('}') ? 'whole' : 'broken';

const codeIn = (text: string): string | null => /"code":"([a-z_]+)"/.exec(text)?.[1] ?? null;
