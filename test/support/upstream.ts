import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  [detail: string]: unknown;
}

/** One request as the provider saw it: the independent truth that the ledger is held against. */
export interface UpstreamCall {
  path: string;
  headers: Record<string, string | string[] | undefined>;
  /** Its body, byte for byte. */
  text: string;
  body: { model: string; stream?: boolean; stream_options?: { include_usage?: boolean }; max_tokens?: number; [field: string]: unknown };
  /** The usage this provider reported, complete; null when it never got that far. */
  billed: Usage | null;
  /** Resolves when its connection is over; true when the client broke it off. */
  closed: Promise<boolean>;
}

/** Answers one request. Sets `call.billed` when it reports usage. */
export type Script = (call: UpstreamCall, response: ServerResponse) => void | Promise<void>;

export const USAGE: Usage = { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 };

export const chunk = (fields: object): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'test-model-2026', ...fields })}\n\n`;
export const delta = (content: object, finish: string | null = null): string =>
  chunk({ choices: [{ index: 0, delta: content, finish_reason: finish }] });

/** A whole answer, streamed if asked for, with this usage. */
export function answer(text = 'Hello from upstream', usage: Usage | null = USAGE): Script {
  return (call, response) => {
    if (!call.body.stream) {
      call.billed = usage;
      const message = { role: 'assistant', content: text };
      return json(200, {
        id: 'chatcmpl-1',
        object: 'chat.completion',
        created: 1_700_000_000,
        model: 'test-model-2026',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        usage,
      })(call, response);
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: '' }));
    for (const word of text.split(/(?<= )/)) response.write(delta({ content: word }));
    response.write(delta({}, 'stop'));
    call.billed = usage;
    if (usage && call.body.stream_options?.include_usage) response.write(chunk({ choices: [], usage }));
    response.end('data: [DONE]\n\n');
  };
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Script =>
  (_call, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

/** Writes these pieces of a stream and then ends as told. */
export const stream =
  (pieces: string[], end: 'end' | 'reset' | 'hang' = 'end'): Script =>
  async (_call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
    if (end === 'end') response.end();
    if (end === 'reset') response.socket?.resetAndDestroy();
  };

/** Says nothing until the connection is closed. */
export const hang: Script = () => {};

/** A provider on loopback that does what each test tells it and keeps its own log. */
export class ScriptedUpstream {
  readonly calls: UpstreamCall[] = [];
  /** What the next requests get. */
  script: Script = answer();
  private waiting: (() => void)[] = [];
  private readonly server;

  /** It listens once it is told to. @param tls its certificate; without one it speaks plain HTTP. */
  constructor(tls: { cert: Buffer; key: Buffer } | null = null) {
    const take = (request: IncomingMessage, response: ServerResponse) => void this.take(request, response);
    this.server = tls ? createTlsServer(tls, take) : createServer(take);
  }

  static async start(tls: { cert: Buffer; key: Buffer } | null = null): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(tls);
    await upstream.listen();
    return upstream;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  /** As if it had just been started. */
  reset(): void {
    this.calls.length = 0;
    this.script = answer();
  }

  get hostPort(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get baseUrl(): string {
    return `http://${this.hostPort}/v1`;
  }

  /** Resolves once this many requests have arrived in all. */
  async received(count: number): Promise<void> {
    while (this.calls.length < count) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const piece of request) chunks.push(piece as Buffer);
    } catch {
      return; // its sender died before it was whole, so it was never a call
    }
    const closed = new Promise<boolean>((resolve) => response.on('close', () => resolve(!response.writableFinished)));
    const text = Buffer.concat(chunks).toString();
    const call: UpstreamCall = {
      path: request.url!,
      headers: request.headers,
      text,
      body: JSON.parse(text),
      billed: null,
      closed,
    };
    this.calls.push(call);
    for (const wake of this.waiting.splice(0)) wake();
    await this.script(call, response);
  }
}
