import { connect, type Socket } from 'node:net';
import { answer, delta, ScriptedUpstream } from '../support/upstream.js';
import { addUpstream, booked, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';
import { SURFACES, send } from './support/surfaces.js';

const MIB = 1024 * 1024;
const BODY = SURFACES.find(({ kind }) => kind === 'call')!;

/** A connection that writes what it is given, and what came back on it. */
class RawClient {
  reply = '';
  closed = false;
  readonly socket: Socket;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect(Number(port), hostname);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => (this.reply += text));
    this.socket.on('error', () => {});
    this.socket.on('close', () => (this.closed = true));
  }

  head(method: string, path: string, headers: Record<string, string>): void {
    const lines = Object.entries({ host: 'weir', 'content-type': 'application/json', ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    this.socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  }

  /** Resolves with the status once a head came back. */
  async status(): Promise<number> {
    await eventually(async () => /^HTTP\/1.1 \d{3} /.test(this.reply), 10_000);
    return Number(this.reply.slice(9, 12));
  }
}

const withMock = async (tenant: TestTenant): Promise<TestTenant> => {
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await eventually(() =>
    tenant.openai.models.retrieve('mock/echo').then(
      () => true,
      () => false,
    ),
  );
  return tenant;
};

const metric = async (weir: TestWeir, name: string): Promise<number> => {
  const text = await (await fetch(`${weir.adminUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1]);
};

describe('a client without a valid key', () => {
  let weir: TestWeir;
  let tenant: TestTenant;
  const clients: RawClient[] = [];
  const open = (url: string): RawClient => {
    const client = new RawClient(url);
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    weir = await startTestWeir();
    tenant = await withMock(await createTenant(weir));
  });
  afterEach(() => {
    for (const { socket } of clients.splice(0)) socket.destroy();
  });
  afterAll(() => weir.stop());

  const posts = SURFACES.filter(({ method }) => method === 'POST').map(({ path }) => path);

  test.each([...posts, '/v1/nothing/here'])('POST %s is answered before its body is there, and nothing of it is kept', async (path) => {
    const crowd = Array.from({ length: 30 }, () => open(weir.publicUrl));
    for (const client of crowd) {
      client.head('POST', path, { 'content-length': String(19 * MIB), authorization: 'Bearer sk-nobody' });
      client.socket.write(Buffer.alloc(MIB, 32));
    }
    const expected = path === '/v1/nothing/here' ? [404] : [401, 429];
    for (const client of crowd) expect(expected).toContain(await client.status());
    expect(await metric(weir, 'weir_request_body_bytes')).toBe(0);
  });

  test.each(['/v1/organization/budgets', '/v1/platform/tenants', '/v1/nothing'])('POST %s of the admin listener is, too', async (path) => {
    const client = open(weir.adminUrl);
    client.head('POST', path, { 'content-length': '900000', authorization: 'Bearer weir_adm_nobody' });
    client.socket.write(Buffer.alloc(1_000, 32));
    expect(await client.status()).toBe(path === '/v1/nothing' ? 404 : 401);
  });

  test('is slowed down by address, and no valid key with it', async () => {
    const from = (address: string, key: string) => ({ authorization: `Bearer ${key}`, 'x-forwarded-for': address });
    const ask = async (headers: Record<string, string>) => (await fetch(`${weir.publicUrl}/v1/key`, { headers })).status;
    const guesses: number[] = [];
    guesses.push(await ask(from('8.8.8.8', 'sk-first')));
    // At once: on a slow machine, one after another would be no more than is let through.
    const many = (address: (guess: number) => string) =>
      Promise.all(Array.from({ length: 300 }, (_, guess) => ask(from(address(guess), `sk-${guess}`))));
    guesses.push(...(await many(() => '8.8.8.8')));
    expect(guesses[0]).toBe(401);
    expect(guesses).toContain(429);
    expect(await ask(from('8.8.8.8', tenant.apiKey))).toBe(200);
    expect(await ask(from('9.9.9.9', 'sk-other'))).toBe(401);
    // What the client wrote itself is left of what the proxy added.
    expect(await many(() => '9.9.9.9, 8.8.8.8')).toContain(429);
    // One customer has a whole /64.
    await many((guess) => `2001:db8:1:2::${guess.toString(16)}`);
    expect(await many(() => '2001:db8:1:2:ffff::1')).toContain(429);
    expect(await ask(from('2001:db8:1:3::1', 'sk-other'))).toBe(401);
  });
});

describe('too many connections', () => {
  test('of strangers do not keep a tenant out', async () => {
    const weir = await startTestWeir({ WEIR_MAX_CONNECTIONS: '60', WEIR_TRUSTED_PROXIES: '' });
    const clients: RawClient[] = [];
    try {
      const tenant = await withMock(await createTenant(weir));
      for (let round = 0; round < 4; round++) {
        for (let n = 0; n < 60; n++) clients.push(new RawClient(weir.publicUrl));
        const reply = await send({ publicUrl: weir.publicUrl, apiKey: tenant.apiKey }, BODY, BODY.body('mock/echo'), {
          connection: 'close',
        });
        expect(reply.status).toBe(200);
      }
      expect(await metric(weir, 'weir_connections')).toBeLessThanOrEqual(60);
      expect(await metric(weir, 'weir_connections_crowded_out_total')).toBeGreaterThan(100);
    } finally {
      for (const { socket } of clients) socket.destroy();
      await weir.stop();
    }
  });

  test('of one tenant do not keep another out', async () => {
    const weir = await startTestWeir({ WEIR_MAX_CONNECTIONS: '60', WEIR_TRUSTED_PROXIES: '' });
    const clients: RawClient[] = [];
    try {
      const [busy, quiet] = [await createTenant(weir), await createTenant(weir)];
      for (let n = 0; n < 100; n++) {
        const client = new RawClient(weir.publicUrl);
        clients.push(client);
        client.head('GET', '/v1/key', { authorization: `Bearer ${busy.apiKey}` });
      }
      await eventually(async () => clients.every(({ reply, closed }) => closed || reply !== ''), 20_000);
      const reply = await fetch(`${weir.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${quiet.apiKey}` } });
      expect(reply.status).toBe(200);
    } finally {
      for (const { socket } of clients) socket.destroy();
      await weir.stop();
    }
  });
});

test('a tenant that fills the memory for bodies is refused, and others are not', async () => {
  const weir = await startTestWeir();
  const clients: RawClient[] = [];
  try {
    const [greedy, quiet] = [await createTenant(weir), await withMock(await createTenant(weir))];
    const body = Buffer.alloc(19 * MIB, 32);
    for (let n = 0; n < 40; n++) {
      const client = new RawClient(weir.publicUrl);
      clients.push(client);
      client.head('POST', '/v1/responses', { 'content-length': String(body.length + 1), authorization: `Bearer ${greedy.apiKey}` });
      client.socket.write(body);
    }
    await eventually(async () => clients.some(({ reply }) => reply.startsWith('HTTP/1.1 503')), 20_000);
    const reply = await send({ publicUrl: weir.publicUrl, apiKey: quiet.apiKey }, BODY, BODY.body('mock/echo'));
    expect(reply.status).toBe(200);
    for (const { socket } of clients) socket.destroy();
    await eventually(async () => (await metric(weir, 'weir_request_body_bytes')) === 0, 30_000);
  } finally {
    for (const { socket } of clients) socket.destroy();
    await weir.stop();
  }
});

describe('a client that does not read', () => {
  let weir: TestWeir;
  let tenant: TestTenant;
  let upstream: ScriptedUpstream;

  beforeAll(async () => {
    upstream = await ScriptedUpstream.start();
    weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort, WEIR_CLIENT_STALL_TIMEOUT_MS: '1000' });
    tenant = await createTenant(weir);
    await addUpstream(tenant, `http://${upstream.hostPort}/v1`);
  });
  afterAll(async () => {
    await weir.stop();
    await upstream.stop();
  });

  test.each([true, false])('is cut off, and its call is booked: stream %s', async (stream) => {
    const before = (await booked(weir, tenant)).length;
    const long = 'word '.repeat(1_000);
    upstream.script = stream
      ? (_call, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          const more = () => {
            while (!response.destroyed && response.write(delta({ content: long })));
          };
          response.on('drain', more);
          more();
        }
      : answer('word '.repeat(4_000_000));
    const client = new RawClient(weir.publicUrl);
    client.socket.pause();
    const body = JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 10_000_000, stream });
    client.head('POST', '/v1/chat/completions', { authorization: `Bearer ${tenant.apiKey}`, 'content-length': String(body.length) });
    client.socket.write(body);
    await eventually(async () => (await booked(weir, tenant)).length > before, 20_000);
    await eventually(async () => (await metric(weir, 'weir_connections_stalled_total')) > 0, 20_000);
    client.socket.destroy();
    expect((await booked(weir, tenant)).at(-1)!.amount).not.toBeNull();
  });
});
