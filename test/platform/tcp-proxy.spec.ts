import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { TcpProxy } from '../support/tcp-proxy.js';

let echo: Server;
let proxy: TcpProxy;
const sockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await TcpProxy.start((echo.address() as AddressInfo).port);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await proxy.stop();
  echo.close();
});

async function open(): Promise<Socket> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const closing = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

/** Sends and waits for all of it to come back. Answers how long that took. */
async function roundTrip(socket: Socket, text: string): Promise<number> {
  const startedAt = performance.now();
  let back = '';
  const whole = new Promise<void>((resolve) => {
    const take = (data: Buffer) => {
      back += data;
      if (back.length < text.length) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
  });
  socket.write(text);
  await whole;
  expect(back).toBe(text);
  return performance.now() - startedAt;
}

test('passes what is sent, and the end of it', async () => {
  const socket = await open();
  await roundTrip(socket, 'hello');
  socket.end();
  await once(socket, 'close');
  expect(proxy.accepted).toBe(1);
  expect(proxy.open).toBe(0);
});

test('latency delays each direction', async () => {
  const socket = await open();
  await roundTrip(socket, 'warm');
  await proxy.set({ kind: 'latency', ms: 60 });
  expect(await roundTrip(socket, 'slow')).toBeGreaterThanOrEqual(118);
  await proxy.set({ kind: 'pass' });
  expect(await roundTrip(socket, 'fast')).toBeLessThan(100);
});

test('a black hole stalls open and new connections, and gives everything back when it ends', async () => {
  const before = await open();
  await roundTrip(before, 'warm');
  await proxy.set({ kind: 'black-hole' });
  const after = await open();
  const waiting = [roundTrip(before, 'one'), roundTrip(after, 'two')];
  const quiet = Symbol('quiet');
  const pause = new Promise((resolve) => setTimeout(resolve, 100, quiet));
  expect(await Promise.race([...waiting, pause])).toBe(quiet);
  await proxy.set({ kind: 'pass' });
  await Promise.all(waiting);
});

test('forgotten connections stall for good while new ones pass', async () => {
  const before = await open();
  await roundTrip(before, 'warm');
  proxy.forgetAll();
  let heard = false;
  before.on('data', () => (heard = true));
  before.write('anybody there?');
  await roundTrip(await open(), 'new');
  expect(heard).toBe(false);
});

test('reset ends open connections and each new one', async () => {
  const before = await open();
  await roundTrip(before, 'warm');
  const closed = closing(before);
  await proxy.set({ kind: 'reset' });
  await closed;
  await closing(connect(proxy.port, '127.0.0.1').on('error', () => {}));
  await proxy.set({ kind: 'pass' });
  await roundTrip(await open(), 'again');
});

test('refuse: nobody listens, until it ends; the port stays the same', async () => {
  const { port } = proxy;
  const before = await open();
  await roundTrip(before, 'warm');
  const closed = closing(before);
  await proxy.set({ kind: 'refuse' });
  await closed;
  const refused = connect(port, '127.0.0.1');
  const [error] = await once(refused, 'error');
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  await proxy.set({ kind: 'pass' });
  expect(proxy.port).toBe(port);
  await roundTrip(await open(), 'again');
});

test('bandwidth is bounded in each direction', async () => {
  const socket = await open();
  await proxy.set({ kind: 'bandwidth', bytesPerSecond: 10_000 });
  expect(await roundTrip(socket, 'x'.repeat(2_000))).toBeGreaterThan(150);
});

test('a server that ends its side in the middle of an answer ends it for the client too', async () => {
  echo.removeAllListeners('connection').on('connection', (socket: Socket) => socket.on('error', () => {}).end('half an'));
  const socket = await open();
  const [data] = await once(socket, 'data');
  expect(String(data)).toBe('half an');
  await once(socket, 'end');
});
