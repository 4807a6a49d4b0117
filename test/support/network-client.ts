import { request as http, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { request as https } from 'node:https';

export interface NetworkReply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever came
  body: any;
}

export type From = Pick<RequestOptions, 'localAddress' | 'socketPath'> & { cert?: Buffer; key?: Buffer; ca?: Buffer };

/** A request from an address of this machine, by a Unix socket or with a client certificate, to whatever host it says. */
export function send(
  url: string,
  { from = {}, ...given }: { from?: From; method?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<NetworkReply> {
  const body = given.body === undefined ? undefined : JSON.stringify(given.body);
  const headers = {
    ...(body !== undefined && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    ...given.headers,
  };
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? https : http;
    const options = { ...from, agent: false, method: given.method ?? (body === undefined ? 'GET' : 'POST'), headers };
    const sent = request(url, options as RequestOptions, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text, body: parsed(text) }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
