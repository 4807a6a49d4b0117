/** What is sent and answered: a chat call of about 2 KB with a reply of about 1 KB, and a stream of 100 events. */

/** The model, as the provider knows it. */
export const MODEL = 'bench-1';
export const EVENTS = 100;
/** Weir's provider has this base path; callers of nginx, and those that go straight, use the other. */
export const WEIR_PATH = '/v1/chat/completions';
export const PLAIN_PATH = '/plain/chat/completions';
/** How the scripted provider knows a stream is wanted. */
export const STREAM_MARK = '"stream":true';

const WORDS = 'The quick brown fox jumps over the lazy dog while seventeen patient gateways count every token twice. ';
export const text = (bytes: number): string => WORDS.repeat(Math.ceil(bytes / WORDS.length)).slice(0, bytes);

const HEAD = {
  id: 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT',
  created: 1796000000,
  model: MODEL,
  service_tier: 'default',
  system_fingerprint: 'fp_06737a9306',
};
export const TOTAL_TOKENS = 540;
const USAGE = {
  prompt_tokens: 412,
  completion_tokens: 128,
  total_tokens: TOTAL_TOKENS,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};

/** The body of a call. `stream` comes last, as the OpenAI libraries write it. */
export function requestBody(stream: boolean): string {
  const messages = [
    { role: 'system', content: text(500) },
    { role: 'user', content: text(600) },
    { role: 'assistant', content: text(400) },
    { role: 'user', content: text(300) },
  ];
  const streaming = stream ? { stream_options: { include_usage: true }, stream: true } : {};
  return JSON.stringify({ model: `up/${MODEL}`, messages, temperature: 0.7, max_tokens: 256, user: 'user-1234', ...streaming });
}

/** A whole call as it goes over the wire. */
export function requestBytes(path: string, port: number, key: string, stream: boolean, body = requestBody(stream)): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Accept: application/json',
    'Content-Type: application/json',
    'User-Agent: bench/1',
    `Authorization: Bearer ${key}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** The parts of {@link requestBytes}, for clients that write the rest of the head themselves. */
export function parseRequest(request: Buffer): { path: string; headers: Record<string, string>; body: string } {
  const [head, body] = request.toString().split('\r\n\r\n') as [string, string];
  const [start, ...lines] = head.split('\r\n') as [string, ...string[]];
  const headers = lines
    .map((line) => line.split(': ') as [string, string])
    .filter(([name]) => name !== 'Host' && name !== 'Content-Length');
  return { path: start.split(' ')[1]!, headers: Object.fromEntries(headers), body };
}

/** The provider's answer to a JSON call, as it goes over the wire. */
export function jsonReply(): Buffer {
  const message = { role: 'assistant', content: text(460), refusal: null, annotations: [] };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }];
  return wholeReply({ ...HEAD, object: 'chat.completion', choices, usage: USAGE });
}

/** A JSON body as it goes over the wire. */
export function wholeReply(value: object): Buffer {
  const body = JSON.stringify(value);
  return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** The provider's stream, all events in one write. */
export function streamReply(): Buffer {
  const chunk = (fields: object) => ({ ...HEAD, object: 'chat.completion.chunk', ...fields });
  const delta = (index: number) => (index === EVENTS - 1 ? {} : { content: ` token${index}` });
  const choice = (index: number) => ({
    index: 0,
    delta: delta(index),
    logprobs: null,
    finish_reason: index === EVENTS - 1 ? 'stop' : null,
  });
  const events = Array.from({ length: EVENTS }, (_, index) => JSON.stringify(chunk({ choices: [choice(index)], usage: null })));
  const all = [...events, JSON.stringify(chunk({ choices: [], usage: USAGE })), '[DONE]'];
  return chunkedReply('text/event-stream', Buffer.from(all.map((data) => `data: ${data}\n\n`).join('')));
}

/** A stream as it goes over the wire, all of it in one chunk. */
export function chunkedReply(type: string, body: Buffer): Buffer {
  // X-Accel-Buffering: nginx then passes the events on as they come.
  const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n`;
  return Buffer.concat([Buffer.from(`${head}${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
}
