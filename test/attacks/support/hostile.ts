// A hostile tenant and strangers, all at once, in a process of their own: `node -r register-typescript.cjs hostile.ts <JSON of Target>`.
// Ends by SIGTERM, and prints, as JSON, how often each thing was done.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

export interface Target {
  publicUrl: string;
  adminUrl: string;
  apiKey: string;
  adminKey: string;
}

const MIB = 1024 * 1024;
const target = JSON.parse(process.argv[2]!) as Target;
let over = false;

const post = (url: string, key: string, body: string | Buffer, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: body as string,
    ...(signal && { signal }),
  });
const ask = async (path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<void> => {
  const reply = await post(target.publicUrl + path, target.apiKey, body, headers);
  await reply.arrayBuffer();
};
const chat = (text: string, more: object = {}): string =>
  JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: text }], max_tokens: 5, ...more });

const GEORGIAN = 'გამარჯობა მსოფლიო '.repeat(10_000);
const ARRAYS = Buffer.from(`{"model":"mock/echo","messages":[${'[],'.repeat(6_000_000)}[]]}`);
const UNKNOWN_FIELD = JSON.stringify({ name: 'x', ['x'.repeat(900_000)]: 1 });
const labels = (): string => Array.from({ length: 16 }, () => randomBytes(6).toString('hex')).join();

/** A connection that shows a bad key and goes on with a long body. */
function stranger(): Promise<void> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(target.publicUrl);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {}).on('close', () => resolve());
    socket.write(`POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-${randomBytes(9).toString('hex')}\r\n`);
    socket.write(`content-type: application/json\r\ncontent-length: ${19 * MIB}\r\n\r\n`);
    socket.write(Buffer.alloc(MIB, 32));
    setTimeout(() => socket.destroy(), 500);
  });
}

async function leaveEarly(): Promise<void> {
  const leaving = new AbortController();
  const body = chat('word '.repeat(200), { stream: true, max_tokens: 4_000 });
  const reply = await post(`${target.publicUrl}/v1/chat/completions`, target.apiKey, body, {}, leaving.signal);
  await reply.body?.getReader().read();
  leaving.abort();
}

/** Each is done again and again, one after the other, until the time is over. */
const ATTACKS: Readonly<Record<string, () => Promise<unknown>>> = {
  'counts the tokens of a long text': () => ask('/v1/messages/count_tokens', chat(GEORGIAN)),
  'asks for a name near a thousand long ones': () => ask('/v1/chat/completions', chat('x', { model: `wide/${'n'.repeat(240)}` })),
  'sends six million lists': () => ask('/v1/chat/completions', ARRAYS),
  'asks for more than its budget': () => ask('/v1/chat/completions', chat(GEORGIAN, { max_tokens: 1_000_000 })),
  'sends an unknown field of a megabyte': () =>
    post(`${target.adminUrl}/v1/organization/projects`, target.adminKey, UNKNOWN_FIELD).then((reply) => reply.arrayBuffer()),
  'comes as thirty strangers': () => Promise.all(Array.from({ length: 30 }, stranger)),
  'tries keys': () =>
    Promise.all(
      Array.from({ length: 20 }, () =>
        post(`${target.publicUrl}/v1/responses`, `sk-${randomBytes(9).toString('hex')}`, '{}').then((r) => r.arrayBuffer()),
      ),
    ),
  'spreads calls over new labels': () => ask('/v1/chat/completions', chat('hi'), { 'x-weir-tags': labels(), 'x-weir-scope': labels() }),
  'opens new sessions': () => ask('/v1/chat/completions', chat('hi'), { 'x-weir-session': randomBytes(9).toString('hex') }),
  'leaves early': leaveEarly,
  'sends schemas that are none': () =>
    ask(
      '/v1/chat/completions',
      chat('x', { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', required: 5 } } } }),
    ),
};

async function main(): Promise<void> {
  process.on('SIGTERM', () => {
    over = true;
  });
  const done: Record<string, number> = {};
  await Promise.all(
    Object.entries(ATTACKS).map(async ([name, attack]) => {
      for (done[name] = 0; !over; done[name]!++) await attack().catch(() => {});
    }),
  );
  process.stdout.write(`${JSON.stringify(done)}\n`);
}

void main();
