import { gzipSync } from 'node:zlib';
import type { EgressSink, Transport } from './egress.js';
import { fetchBuffered } from './fetch-buffered.js';

const REQUEST = { origin: 'https://login.example.com', path: '/token', headers: [], body: '' };

/** A transport that does this to its sink, and notes whether it was cancelled. */
function transportThat(acts: (sink: EgressSink) => void): Transport & { cancelled: boolean } {
  const transport = {
    cancelled: false,
    send(_request: unknown, sink: EgressSink) {
      queueMicrotask(() => acts(sink));
      return { cancel: () => Object.assign(transport, { cancelled: true }), pause() {}, resume() {}, progress() {}, endWithin() {} };
    },
  };
  return transport;
}

test('an answer in pieces is put together', async () => {
  const transport = transportThat((sink) => {
    sink.onHead(200, {});
    sink.onData(Buffer.from('to'));
    sink.onData(Buffer.from('ken'));
    sink.onEnd();
  });
  const { status, body } = await fetchBuffered(transport, REQUEST, { maxBytes: 5, totalMs: 1_000 });
  expect([status, body.toString()]).toEqual([200, 'token']);
});

test('an answer that is too long is broken off', async () => {
  const transport = transportThat((sink) => sink.onData(Buffer.alloc(6)));
  await expect(fetchBuffered(transport, REQUEST, { maxBytes: 5, totalMs: 1_000 })).rejects.toMatchObject({ failure: 'interrupted' });
  expect(transport.cancelled).toBe(true);
});

test('a server that is silent is given up in time', async () => {
  const transport = transportThat(() => {});
  await expect(fetchBuffered(transport, REQUEST, { maxBytes: 5, totalMs: 1 })).rejects.toMatchObject({ failure: 'timeout' });
  expect(transport.cancelled).toBe(true);
});

test('an answer that comes compressed is decoded; what is too long decoded, or is no gzip, is broken off', async () => {
  const zipped = (body: Buffer) =>
    transportThat((sink) => {
      sink.onHead(200, { 'content-encoding': 'gzip' });
      sink.onData(body);
      sink.onEnd();
    });
  const ask = (body: Buffer) => fetchBuffered(zipped(body), REQUEST, { maxBytes: 5, totalMs: 1_000 });
  expect((await ask(gzipSync('token'))).body.toString()).toBe('token');
  await expect(ask(gzipSync('token6'))).rejects.toMatchObject({ failure: 'interrupted' });
  await expect(ask(Buffer.from('no gzip'))).rejects.toMatchObject({ failure: 'interrupted' });
});
