import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { inspect } from 'node:util';
import type { ProxyAddress } from '../../src/platform/config/index.js';
import { Secret } from '../../src/platform/crypto/index.js';
import { DestinationGuard, type Egress } from '../../src/platform/egress/index.js';
import { selfSigned } from '../support/certificate.js';
import { type Answering, ConnectProxy } from '../support/connect-proxy.js';
import { ConnectSpy } from '../support/connect-spy.js';
import { address, egressThrough, scriptedNames, sendTo } from '../support/egress.js';
import { delta, json, ScriptedUpstream } from '../support/upstream.js';

const PUBLIC = '93.184.215.14';
const OTHER = '93.184.215.15';
const NAME = 'https://provider.example';
const PASSWORD = 'the-password-of-the-proxy';

const directory = mkdtempSync(join(tmpdir(), 'weir-proxy-'));
const trusted = getCACertificates('default');

let proxy: ConnectProxy;
let upstream: ScriptedUpstream;
let spy: ConnectSpy;
let egress: Egress;
let logged: unknown[][];

beforeAll(async () => {
  const { cert, key } = selfSigned(directory, 'provider.example', 'DNS:provider.example');
  upstream = await ScriptedUpstream.start({ cert: readFileSync(cert), key: readFileSync(key) });
  setDefaultCACertificates([...trusted, readFileSync(cert, 'utf8')]);
});

afterAll(async () => {
  setDefaultCACertificates(trusted);
  await upstream.stop();
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  proxy = await ConnectProxy.start();
  for (const ip of [PUBLIC, OTHER]) proxy.routes.set(`${ip}:443`, upstream.hostPort);
  upstream.script = json(200, '{}');
  upstream.calls.length = 0;
  spy = new ConnectSpy();
  logged = [];
});

afterEach(async () => {
  spy.stop();
  await egress.close();
  await proxy.stop();
});

type Names = ReturnType<typeof scriptedNames>['lookup'];

function open(
  lookup: Names,
  { allowed = [], connectMs = 2_000, ...at }: { allowed?: string[]; connectMs?: number } & Partial<ProxyAddress> = {},
) {
  const where = { host: '127.0.0.1', port: proxy.port, authorization: null, ...at };
  egress = egressThrough(where, new DestinationGuard(allowed, lookup), { timeouts: { connectMs }, logged: (line) => logged.push(line) });
}
const toPublic = () => scriptedNames([address(PUBLIC)]).lookup;
const connects = () => spy.attempts.filter((attempt) => attempt !== upstream.hostPort);
const viaProxy = () => `127.0.0.1:${proxy.port}`;

test('the proxy is asked for the address that was checked, and nothing else; the name stays that of the provider', async () => {
  open(toPublic());
  expect(await sendTo(egress, NAME, ['authorization', 'Bearer a-key-of-the-provider'])).toMatchObject({ status: 200, body: '{}' });
  expect(proxy.heads).toEqual([`CONNECT ${PUBLIC}:443 HTTP/1.1\r\nhost: ${PUBLIC}:443\r\n\r\n`]);
  expect(upstream.calls[0]!.headers).toMatchObject({ host: 'provider.example', authorization: 'Bearer a-key-of-the-provider' });
  // What went through begins with a TLS handshake that names the provider, and is sealed.
  expect(proxy.passed[0]).toBe(0x16);
  expect(proxy.passed.includes('provider.example')).toBe(true);
  expect(proxy.passed.includes('a-key-of-the-provider')).toBe(false);
  expect(connects()).toEqual([viaProxy()]);
  expect(logged).toEqual([]);
});

test('a stream arrives piece by piece', async () => {
  open(toPublic());
  let next = () => {};
  upstream.script = (_call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ content: 'one' }));
    next = () => response.end(delta({ content: 'two' }));
  };
  const pieces: string[] = [];
  await new Promise<void>((resolve, reject) => {
    egress.send(
      { origin: NAME, path: '/v1/x', headers: [], body: '{}' },
      {
        onSending() {},
        onHead() {},
        onData(chunk) {
          pieces.push(chunk.toString());
          next();
        },
        onEnd: resolve,
        onError: reject,
      },
    );
  });
  expect(pieces).toEqual([delta({ content: 'one' }), delta({ content: 'two' })]);
});

test('HTTP/1.1 is spoken, also to a server that prefers HTTP/2', async () => {
  const [cert, key] = ['cert.pem', 'key.pem'].map((file) => readFileSync(join(directory, file)));
  const versions: string[] = [];
  const both = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    versions.push(request.httpVersion);
    response.end('{}');
  });
  await new Promise<void>((resolve) => both.listen(0, '127.0.0.1', resolve));
  proxy.routes.set(`${PUBLIC}:443`, `127.0.0.1:${(both.address() as AddressInfo).port}`);
  open(toPublic());
  expect(await sendTo(egress, NAME)).toMatchObject({ status: 200 });
  expect(versions).toEqual(['1.1']);
  await egress.close();
  await new Promise((resolve) => both.close(resolve));
});

test('a connection carries one call after the other', async () => {
  open(toPublic());
  for (let i = 0; i < 10; i++) await sendTo(egress, NAME);
  expect(upstream.calls).toHaveLength(10);
  // The next call may come before the connection of the last is free again.
  expect(proxy.heads.length).toBeLessThanOrEqual(2);
});

test('the proxy is shown its credentials, and nobody else is', async () => {
  open(toPublic(), { authorization: new Secret(`Basic ${PASSWORD}`) });
  await sendTo(egress, NAME);
  expect(proxy.heads[0]).toContain(`\r\nproxy-authorization: Basic ${PASSWORD}\r\n`);
  expect(JSON.stringify(upstream.calls[0]!.headers)).not.toContain(PASSWORD);
});

describe('what is forbidden without a proxy is forbidden with one', () => {
  test.each([
    ['a name that leads to a private address', [address('10.0.0.1')]],
    ['a name that leads to this machine', [address('127.0.0.1')]],
    ['a name that leads to the metadata service', [address('169.254.169.254')]],
    ['a name that leads to a public and a private address', [address(PUBLIC), address('10.0.0.1')]],
    ['a name that leads to an IPv4 address inside of an IPv6 one', [address('::ffff:10.0.0.1', 6)]],
    ['a name that leads nowhere', []],
  ])('%s: the proxy is not even connected to', async (_what, answer) => {
    open(scriptedNames(answer).lookup);
    expect(await sendTo(egress, NAME)).toMatchObject({ error: { failure: 'unreachable' }, sending: false });
    expect(spy.attempts).toEqual([]);
  });

  test.each([
    'https://10.0.0.1',
    'https://169.254.169.254',
    'http://provider.example',
    'https://provider.example:8443',
    'https://localhost',
  ])('%s: the proxy is not even connected to', async (origin) => {
    open(toPublic());
    expect(await sendTo(egress, origin)).toMatchObject({ error: { failure: 'refused' }, sending: false });
    expect(spy.attempts).toEqual([]);
  });

  test('a name that is asked twice and leads inside the second time is connected to where it led first', async () => {
    const { lookup, asked } = scriptedNames([address(PUBLIC)], [address('10.0.0.1')]);
    open(lookup);
    expect(await sendTo(egress, NAME)).toMatchObject({ status: 200 });
    expect([asked, proxy.asked]).toEqual([['provider.example'], [`CONNECT ${PUBLIC}:443`]]);
  });

  test('a slow name server is given up on, and its late answer connects to nothing', async () => {
    let late = () => {};
    open((_name, done) => (late = () => done(null, [address(PUBLIC)])), { connectMs: 200 });
    expect((await sendTo(egress, NAME)).error).toMatchObject({ failure: 'unreachable' });
    late();
    await new Promise(setImmediate);
    expect([spy.attempts, logged]).toEqual([[], []]);
  });
});

describe('which addresses', () => {
  test('of several, the next is asked for when the proxy does not reach one', async () => {
    proxy.answering = (authority) => (authority.startsWith(PUBLIC) ? { reply: 'HTTP/1.1 502 Bad Gateway\r\n\r\n' } : 'connect');
    open(scriptedNames([address(PUBLIC), address(OTHER)]).lookup);
    expect(await sendTo(egress, NAME)).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([`CONNECT ${PUBLIC}:443`, `CONNECT ${OTHER}:443`]);
  });

  test('one of IPv6 is written in brackets', async () => {
    proxy.routes.set('[2606:4700::1]:443', upstream.hostPort);
    open(scriptedNames([address('2606:4700::1', 6)]).lookup);
    expect(await sendTo(egress, NAME)).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual(['CONNECT [2606:4700::1]:443']);
  });

  test('private ones that the deployment allows go through the proxy as well, with TLS or without', async () => {
    const plain = await ScriptedUpstream.start();
    plain.script = json(200, '{}');
    proxy.routes.set('10.8.1.2:443', upstream.hostPort).set('10.8.1.2:8000', plain.hostPort);
    open(scriptedNames([address('10.8.1.2')]).lookup, { allowed: ['10.8.0.0/16:443', 'vllm:8000'] });
    expect(await sendTo(egress, NAME)).toMatchObject({ status: 200 });
    expect(await sendTo(egress, 'http://vllm:8000')).toMatchObject({ status: 200 });
    expect(plain.calls[0]!.headers).toMatchObject({ host: 'vllm:8000' });
    expect(proxy.asked).toEqual(['CONNECT 10.8.1.2:443', 'CONNECT 10.8.1.2:8000']);
    await plain.stop();
  });

  test('this machine is not asked for at another: it is connected directly', async () => {
    const plain = await ScriptedUpstream.start();
    plain.script = json(200, '{}');
    const { port } = new URL(plain.baseUrl);
    open(scriptedNames([address('::1', 6), address('127.0.0.1')]).lookup, { allowed: [plain.hostPort, `localhost:${port}`] });
    expect(await sendTo(egress, `http://${plain.hostPort}`)).toMatchObject({ status: 200 });
    expect(await sendTo(egress, `http://localhost:${port}`)).toMatchObject({ status: 200 });
    expect(proxy.heads).toEqual([]);
    await plain.stop();
  });
});

describe('a proxy that stands in the way: the provider is unreachable, nothing was sent, and the log says it was the proxy', () => {
  const reply = (text: string): Answering => ({ reply: text });

  test.each<[string, Answering, string]>([
    [
      'wants other credentials',
      reply('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="x"\r\ncontent-length: 2\r\n\r\nno'),
      'the egress proxy answered 407: check the user and password in WEIR_EGRESS_PROXY',
    ],
    ['forbids it', reply('HTTP/1.1 403 Forbidden\r\n\r\n'), 'the egress proxy answered 403'],
    ['does not get there', reply('HTTP/1.0 502 Bad Gateway\r\n\r\n<html>'), 'the egress proxy answered 502'],
    ['redirects', reply('HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\n\r\n'), 'the egress proxy answered 302'],
    ['closes', 'close', 'the egress proxy closed the connection without an answer'],
    ['resets', 'reset', 'the egress proxy closed the connection without an answer'],
    ['is silent', 'silent', 'the egress proxy did not connect in time'],
    ['ends within its head', reply('HTTP/1.1 200 OK\r\nvia: x'), 'the egress proxy closed the connection without an answer'],
    ['speaks no HTTP', reply('SSH-2.0-OpenSSH\r\n\r\n'), 'the egress proxy sent an invalid response'],
    ['talks without end', reply(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(17 * 1024)}`), 'the egress proxy sent an invalid response'],
    [
      'answers instead of the provider',
      reply('HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'),
      'the egress proxy sent data before the destination did',
    ],
  ])('one that %s', async (_what, answering, message) => {
    proxy.answering = () => answering;
    const authorization = new Secret(`Basic ${PASSWORD}`);
    open(toPublic(), { authorization, connectMs: answering === 'silent' ? 200 : 2_000 });
    const { error, sending } = await sendTo(egress, NAME);
    expect([error?.failure, (error?.cause as Error | undefined)?.message, sending]).toEqual(['unreachable', message, false]);
    expect(logged).toEqual([[expect.objectContaining({ origin: NAME }), message]]);
    expect(inspect([error, logged], { depth: 10 })).not.toContain(PASSWORD);
    expect(upstream.calls).toEqual([]);
  });

  test('one that is not there', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    open(toPublic(), { port });
    expect(await sendTo(egress, NAME)).toMatchObject({ error: { failure: 'unreachable' }, sending: false });
    expect(logged).toEqual([[{ origin: NAME, cause: expect.stringContaining('ECONNREFUSED') }, 'the egress proxy cannot be reached']]);
  });

  test('credentials that it does not take are not tried again for the next address', async () => {
    proxy.answering = () => reply('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    open(scriptedNames([address(PUBLIC), address(OTHER)]).lookup);
    await sendTo(egress, NAME);
    expect(proxy.heads).toHaveLength(1);
  });

  test('the time to connect is one for the proxy, its answer and the handshake with the provider', async () => {
    const silent = createServer((socket) => void socket.resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    proxy.routes.set(`${PUBLIC}:443`, `127.0.0.1:${(silent.address() as { port: number }).port}`);
    open(toPublic(), { connectMs: 300 });
    const startedAt = performance.now();
    expect(await sendTo(egress, NAME)).toMatchObject({ error: { failure: 'unreachable' }, sending: false });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(logged).toEqual([]);
    await proxy.stop();
    await new Promise((resolve) => silent.close(resolve));
    proxy = await ConnectProxy.start();
  });
});

test('a certificate for another name is refused before anything is sent', async () => {
  open(toPublic());
  expect(await sendTo(egress, 'https://another.example')).toMatchObject({ error: { failure: 'unreachable' }, sending: false });
  expect(upstream.calls).toEqual([]);
});
