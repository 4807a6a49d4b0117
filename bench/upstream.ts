// The scripted provider, a process of its own: answers every call at once with the same bytes, and counts the calls it was sent.
// It reads just enough HTTP for that, so that it takes little of the core it shares with the load generator.
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { FORMATS } from './formats.js';
import { jsonReply, PLAIN_PATH, STREAM_MARK, streamReply } from './messages.js';

const HEAD_END = '\r\n\r\n';
const JSON_REPLY = jsonReply();
const STREAM_REPLY = streamReply();
const PLAIN_START = `POST ${PLAIN_PATH} `;

/** Calls by the path they came on. */
const counts = { weir: 0, plain: 0 };

function serve(socket: Socket): void {
  let rest: Buffer | null = null;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const request: Buffer = rest ? Buffer.concat([rest, chunk]) : chunk;
    rest = isWhole(request) ? null : request;
    if (!rest) answer(socket, request);
  });
}

/** Callers wait for the answer before they send again, so there is never more than one request in a buffer. */
function isWhole(request: Buffer): boolean {
  const headEnd = request.indexOf(HEAD_END);
  if (headEnd === -1) return false;
  const length = /content-length: *(\d+)/i.exec(request.toString('latin1', 0, headEnd));
  return request.length >= headEnd + HEAD_END.length + Number(length?.[1] ?? 0);
}

function answer(socket: Socket, request: Buffer): void {
  counts[request.toString('latin1', 0, PLAIN_START.length) === PLAIN_START ? 'plain' : 'weir']++;
  const path = request.toString('latin1', 'POST /'.length, request.indexOf(' HTTP/'));
  const format = FORMATS.get(path.slice(0, path.indexOf('/')));
  if (!format) socket.write(request.includes(STREAM_MARK) ? STREAM_REPLY : JSON_REPLY);
  // Some say in the path that they want a stream.
  else socket.write(path.includes('tream') || request.includes(STREAM_MARK) ? format.stream : format.json);
}

const server = createServer({ noDelay: true }, serve).listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => process.send!(counts));
process.on('disconnect', () => process.exit());
