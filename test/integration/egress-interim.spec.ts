import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Egress } from '../../src/platform/egress/index.js';
import { openEgress, sendTo } from '../support/egress.js';

let server: Server;
let egress: Egress;
let connections = 0;
/** What is written to each request, piece by piece. */
let pieces: string[] = [];

const writeAll = async (socket: Socket): Promise<void> => {
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, 'latin1', resolve));
};

beforeAll(async () => {
  server = createServer((socket) => {
    connections++;
    socket.setNoDelay();
    socket.on('error', () => {});
    socket.on('data', (data) => {
      if (data.toString().endsWith('{}')) void writeAll(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => new Promise((resolve) => server.close(resolve)));

const hostPort = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;

beforeEach(() => {
  connections = 0;
  egress = openEgress([hostPort()], undefined, { firstByteMs: 400 });
});
afterEach(() => egress.close());

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const PROCESSING = 'HTTP/1.1 102 Processing\r\nx-note: still at it\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n';
const said = (body: string) => `HTTP/1.1 200 OK\r\nx-final: yes\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const ANSWER = said('ok');
const everyByte = (text: string) => [...text];

const send = () => sendTo(egress, `http://${hostPort()}`);

test.each<[string, string[]]>([
  ['100', [CONTINUE, ANSWER]],
  ['100 in one packet with the answer', [CONTINUE + ANSWER]],
  ['100 of HTTP/1.0, without a reason', ['HTTP/1.0 100\r\n\r\n', ANSWER]],
  ['100 with header fields', ['HTTP/1.1 100 Continue\r\nserver: x\r\n\r\n', ANSWER]],
  ['102', [PROCESSING, ANSWER]],
  ['103', [HINTS, ANSWER]],
  ['each of them, several times', [CONTINUE, PROCESSING, CONTINUE, HINTS, PROCESSING, CONTINUE, ANSWER]],
  ['each of them in one packet', [CONTINUE + HINTS + PROCESSING + CONTINUE + ANSWER]],
  ['byte by byte', everyByte(CONTINUE + HINTS + ANSWER)],
  ['none of them, byte by byte', everyByte(ANSWER)],
])('before the answer: %s', async (_what, written) => {
  pieces = written;
  for (let call = 0; call < 3; call++)
    expect(await send()).toMatchObject({ error: null, status: 200, headers: { 'x-final': 'yes' }, body: 'ok' });
  // The next call may come before the connection of the last is free again.
  expect(connections).toBeLessThanOrEqual(2);
});

test('an answer that has such lines in its body keeps them, however it is cut', async () => {
  const body = `${CONTINUE}one${CONTINUE}`;
  for (const written of [[said(body)], [said(body).slice(0, -body.length), body], everyByte(said(body))]) {
    pieces = written;
    expect(await send()).toMatchObject({ error: null, status: 200, body });
  }
});

test('an answer that never comes is late, and what is no HTTP is no answer', async () => {
  pieces = [CONTINUE, HINTS];
  expect(await send()).toMatchObject({ status: null, error: { failure: 'timeout', late: true } });
  for (const nonsense of [
    'hi\r\n\r\n',
    'HTTP/1.1 1x0 What\r\n\r\n',
    'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
  ]) {
    pieces = [nonsense];
    expect(await send()).toMatchObject({ status: null, error: { failure: 'unreachable' } });
  }
  pieces = [`HTTP/1.1 100 Continue\r\nx: ${'y'.repeat(20_000)}`];
  expect(await send()).toMatchObject({ status: null, error: { failure: 'unreachable' } });
});
