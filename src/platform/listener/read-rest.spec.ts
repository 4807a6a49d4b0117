import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { endWith } from './read-rest.js';

afterEach(() => jest.useRealTimers());

test('a client that does not end its connection has half a minute', async () => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }).resume();
  const [socket] = (await once(server, 'connection')) as [Socket];
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  endWith(socket, 'answer');
  jest.advanceTimersByTime(29_999);
  expect(socket.destroyed).toBe(false);
  jest.advanceTimersByTime(1);
  expect(socket.destroyed).toBe(true);
  client.destroy();
  server.close();
});
