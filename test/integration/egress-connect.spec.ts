import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, getCACertificates, type Server, setDefaultCACertificates } from 'node:tls';
import { DestinationGuard, type Egress } from '../../src/platform/egress/index.js';
import { selfSigned } from '../support/certificate.js';
import { ConnectSpy } from '../support/connect-spy.js';
import { address, egressBehind, openEgress, scriptedNames, sendTo } from '../support/egress.js';
import { json, ScriptedUpstream } from '../support/upstream.js';

let spy: ConnectSpy;
let egress: Egress | null = null;

beforeEach(() => {
  spy = new ConnectSpy();
});
afterEach(async () => {
  spy.stop();
  await egress?.close();
  egress = null;
});

const PUBLIC = '93.184.215.14';
const NAME = 'https://provider.example';

describe('a name that leads inside', () => {
  test.each([
    ['to a private address', [address('10.0.0.1')]],
    ['to this machine', [address('127.0.0.1')]],
    ['to this machine by IPv6', [address('::1', 6)]],
    ['to the metadata service', [address('169.254.169.254')]],
    ['to a public and a private address', [address(PUBLIC), address('10.0.0.1')]],
    ['to a private and a public address', [address('10.0.0.1'), address(PUBLIC)]],
    ['to a private address by IPv4 and a public one by IPv6', [address('10.0.0.1'), address('2606:4700::1', 6)]],
    ['to a public address by IPv4 and a private one by IPv6', [address(PUBLIC), address('fd00::1', 6)]],
    ['to an IPv4 address inside of an IPv6 one', [address('::ffff:10.0.0.1', 6)]],
    ['nowhere', []],
  ])('%s: nothing is connected, and nothing tells why', async (_what, answer) => {
    egress = openEgress([], scriptedNames(answer).lookup);
    const { error, sending } = await sendTo(egress, NAME);
    expect(error).toMatchObject({ failure: 'unreachable' });
    expect(sending).toBe(false);
    expect(spy.attempts).toEqual([]);
  });

  test('public when it is first asked for and private when it is next: each answer is judged by itself', async () => {
    const { lookup } = scriptedNames([address(PUBLIC)], [address('127.0.0.1')]);
    const resolve = new DestinationGuard([], lookup).lookupFor(new URL(NAME));
    const ask = () => new Promise((done) => resolve('provider.example', { all: true }, (error, addresses) => done(error ?? addresses)));
    expect(await ask()).toEqual([address(PUBLIC)]);
    expect(await ask()).toMatchObject({ message: 'The address is not a public one.' });
  });

  test('an allowed network is allowed for its addresses and port only, by whatever name', async () => {
    const { lookup } = scriptedNames([address('10.8.1.2')], [address('10.9.1.2')], [address('10.8.1.2'), address('10.9.1.2')]);
    const guard = new DestinationGuard(['10.8.0.0/16:443'], lookup);
    const ask = () => new Promise((done) => guard.lookupFor(new URL(NAME))('vpn.example', { all: true }, (error) => done(error?.message)));
    expect([await ask(), await ask(), await ask()]).toEqual([undefined, NOT_PUBLIC, NOT_PUBLIC]);
    for (const url of ['https://10.8.0.1', 'https://10.8.255.255/v1']) expect(guard.parse(url).href).toContain(url);
    for (const url of ['https://10.9.0.1', 'https://10.8.0.1:8443', 'https://vpn.example:8443'])
      expect(() => guard.parse(url)).toThrow(/not a public one|Use port 443/);
  });

  test('a slow name server is given up on, and its late answer connects to nothing', async () => {
    let late = () => {};
    egress = openEgress([], (_name, done) => (late = () => done(null, [address('127.0.0.1')])), { connectMs: 200 });
    expect((await sendTo(egress, NAME)).error).toMatchObject({ failure: 'unreachable' });
    late();
    await new Promise(setImmediate);
    expect(spy.attempts).toEqual([]);
  });
});

const NOT_PUBLIC = 'The address is not a public one.';

test('closed, silent and refused look alike', async () => {
  const closed = createTcpServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const failures: (string | undefined)[] = [];
  egress = openEgress([`127.0.0.1:${port}`]);
  failures.push((await sendTo(egress, `http://127.0.0.1:${port}`)).error?.failure);
  await egress.close();
  egress = openEgress([], scriptedNames([address('10.0.0.1')]).lookup);
  failures.push((await sendTo(egress, NAME)).error?.failure);
  await egress.close();
  egress = openEgress([], () => {}, { connectMs: 200 });
  failures.push((await sendTo(egress, NAME)).error?.failure);
  expect(failures).toEqual(['unreachable', 'unreachable', 'unreachable']);
});

describe('a provider on loopback', () => {
  let upstream: ScriptedUpstream;
  beforeEach(async () => {
    upstream = await ScriptedUpstream.start();
    egress = openEgress([upstream.hostPort]);
  });
  afterEach(() => upstream.stop());

  test.each([301, 302, 303, 307, 308])('a redirect with status %i is not followed, wherever it leads', async (status) => {
    for (const location of ['http://10.0.0.1/', 'https://api.openai.com/', '/v1/other']) {
      upstream.script = json(status, '', { location });
      expect(await sendTo(egress!, `http://${upstream.hostPort}`)).toMatchObject({ status, error: null });
    }
    expect(upstream.calls.map(({ path }) => path)).toEqual(['/v1/x', '/v1/x', '/v1/x']);
    expect(new Set(spy.attempts)).toEqual(new Set([upstream.hostPort]));
  });

  test('a connection carries one call after the other', async () => {
    for (let i = 0; i < 20; i++) await sendTo(egress!, `http://${upstream.hostPort}`);
    expect(upstream.calls).toHaveLength(20);
    // The next call may come before the connection of the last is free again.
    expect(spy.attempts.length).toBeLessThanOrEqual(2);
  });

  test('the address that was connected is looked at once more before anything is written', async () => {
    /** As if the connection had led elsewhere than where the name did. */
    class LeadsElsewhere extends DestinationGuard {
      private looks = 0;
      override checkAddress(found: string, origin: URL): void {
        super.checkAddress(this.looks++ === 0 ? found : '169.254.169.254', origin);
      }
    }
    await egress!.close();
    egress = egressBehind(new LeadsElsewhere([upstream.hostPort]));
    expect(await sendTo(egress, `http://${upstream.hostPort}`)).toMatchObject({ error: { failure: 'unreachable' }, sending: false });
    expect(upstream.calls).toEqual([]);
  });

  test('proxy variables are ignored', async () => {
    const proxy = await ScriptedUpstream.start();
    const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];
    for (const name of names) process.env[name] = `http://${proxy.hostPort}`;
    process.env.NODE_USE_ENV_PROXY = '1';
    try {
      expect(await sendTo(egress!, `http://${upstream.hostPort}`)).toMatchObject({ status: 200 });
      expect([upstream.calls.length, proxy.calls.length]).toEqual([1, 0]);
      expect(spy.attempts).toEqual([upstream.hostPort]);
    } finally {
      for (const name of [...names, 'NODE_USE_ENV_PROXY']) delete process.env[name];
      await proxy.stop();
    }
  });

  test('a response head of more than 16 KiB is not read', async () => {
    upstream.script = json(200, '{}', { 'x-long': 'a'.repeat(17 * 1024) });
    expect((await sendTo(egress!, `http://${upstream.hostPort}`)).error).toMatchObject({ failure: 'unreachable' });
  });
});

describe('TLS', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-egress-'));
  let server: Server;
  let origin: string;
  let asked: string[];
  const trusted = getCACertificates('default');

  beforeAll(async () => {
    const { cert, key } = selfSigned(directory, 'provider.example', 'DNS:provider.example');
    server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      asked.push(String(socket.servername));
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `https://provider.example:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    asked = [];
  });
  afterEach(() => setDefaultCACertificates(trusted));
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  });

  const openFor = (host: string) => openEgress([new URL(host).host], scriptedNames([address('127.0.0.1')]).lookup);

  test('the name is what is asked for and what the certificate must carry, while the address is the one that was checked', async () => {
    setDefaultCACertificates([...trusted, readFileSync(join(directory, 'cert.pem'), 'utf8')]);
    egress = openFor(origin);
    expect(await sendTo(egress, origin)).toMatchObject({ status: 200, body: '{}' });
    expect(asked).toEqual(['provider.example']);
    expect(spy.attempts).toEqual([`127.0.0.1:${new URL(origin).port}`]);
  });

  test('HTTP/1.1 is spoken, also to a server that prefers HTTP/2', async () => {
    const [cert, key] = ['cert.pem', 'key.pem'].map((file) => readFileSync(join(directory, file), 'utf8'));
    setDefaultCACertificates([...trusted, cert!]);
    const versions: string[] = [];
    const both = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
      versions.push(request.httpVersion);
      response.end('{}');
    });
    await new Promise<void>((resolve) => both.listen(0, '127.0.0.1', resolve));
    const there = `https://provider.example:${(both.address() as AddressInfo).port}`;
    egress = openFor(there);
    expect(await sendTo(egress, there)).toMatchObject({ status: 200 });
    expect(versions).toEqual(['1.1']);
    await egress.close();
    await new Promise((resolve) => both.close(resolve));
  });

  test('a certificate for another name is refused before anything is sent', async () => {
    setDefaultCACertificates([...trusted, readFileSync(join(directory, 'cert.pem'), 'utf8')]);
    const other = origin.replace('provider', 'another');
    egress = openFor(other);
    expect(await sendTo(egress, other)).toMatchObject({ error: { failure: 'unreachable' }, sending: false });
  });

  test('a certificate that nobody vouches for is refused before anything is sent', async () => {
    egress = openFor(origin);
    expect(await sendTo(egress, origin)).toMatchObject({ error: { failure: 'unreachable' }, sending: false });
  });
});
