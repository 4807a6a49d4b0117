import { once } from 'node:events';
import { connect } from 'node:net';
import { withWeir } from '../../support/with-weir.js';

const MIB = 1024 * 1024;
const CALLS = '/v1/chat/completions';
const BUDGETS = '/v1/organization/budgets';

const { weir, tenant } = withWeir();

/** The status that a client finds which reads nothing before it has written all. 0: the connection was reset before there was one. */
function statusOf(url: string, head: string[], body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname).setEncoding('latin1').pause();
    let answer = '';
    const end = () => {
      socket.destroy();
      resolve(Number(/^HTTP\/1.1 (\d{3})/.exec(answer)?.[1] ?? 0));
    };
    socket.on('data', (text) => (answer += text));
    socket.on('data', () => answer.includes('\r\n\r\n') && end());
    socket.on('error', end).on('close', end);
    socket.write([`POST ${pathname} HTTP/1.1`, 'host: weir', ...head, '', ''].join('\r\n'));
    socket.write(body, () => socket.resume());
  });
}

const chunked = (body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
const lists = (count: number): Buffer => Buffer.from(`{"x":[${'[],'.repeat(count)}[]]}`);
const JSON_TYPE = 'content-type: application/json';
const length = (body: Buffer): string => `content-length: ${body.length}`;
const CHUNKED = 'transfer-encoding: chunked';
const blank = (mib: number): Buffer => Buffer.alloc(mib * MIB, 32);

describe.each(['keep-alive', 'close'])('with connection: %s', (connection) => {
  test.each<[string, number, string, (body: Buffer) => string[], Buffer]>([
    ['a key that is not valid', 401, CALLS, (body) => [JSON_TYPE, length(body), 'authorization: Bearer sk-nobody'], blank(19)],
    ['an unknown path', 404, '/v1/nothing', (body) => [JSON_TYPE, length(body)], blank(19)],
    ['another content type', 415, CALLS, (body) => ['content-type: image/png', length(body), 'KEY'], blank(19)],
    ['a body that is announced too long', 413, CALLS, (body) => [JSON_TYPE, length(body), 'KEY'], blank(40)],
    ['a body that turns out too long', 413, CALLS, () => [JSON_TYPE, CHUNKED, 'KEY'], chunked(blank(40))],
    ['too many values', 413, CALLS, (body) => [JSON_TYPE, length(body), 'KEY'], lists(6_000_000)],
    ['an admin key that is not valid', 401, BUDGETS, (body) => [JSON_TYPE, length(body), 'authorization: Bearer nobody'], blank(19)],
    ['an admin body that is too long', 413, BUDGETS, (body) => [JSON_TYPE, length(body), 'ADMIN'], blank(40)],
    ['an admin body of too many values', 413, BUDGETS, (body) => [JSON_TYPE, length(body), 'ADMIN'], lists(300_000)],
  ])('a client that sends %s reads its %i', async (_name, status, path, head, body) => {
    const keys: Record<string, string> = { KEY: tenant.apiKey, ADMIN: tenant.adminKey };
    const lines = head(body).map((line) => (keys[line] ? `authorization: Bearer ${keys[line]}` : line));
    const url = (path === BUDGETS ? weir.adminUrl : weir.publicUrl) + path;
    expect(await statusOf(url, [...lines, `connection: ${connection}`], body)).toBe(status);
  });

  test('one that sends a head that is too long reads its 431', async () => {
    const head = [`x-long: ${'x'.repeat(4 * MIB)}`, `connection: ${connection}`];
    expect(await statusOf(weir.publicUrl + CALLS, head, Buffer.alloc(0))).toBe(431);
  });
});

const GATES = [
  { path: CALLS, key: () => tenant.apiKey },
  { path: BUDGETS, key: () => tenant.adminKey },
];
const urlOf = (path: string): string => (path === BUDGETS ? weir.adminUrl : weir.publicUrl) + path;

describe.each(GATES)('POST $path', ({ path, key }) => {
  test.each(['utf-16', 'UTF-16LE', '"iso-8859-1"', 'latin1'])('a body in %s is 415, and told to be sent in UTF-8', async (charset) => {
    const headers = { authorization: `Bearer ${key()}`, 'content-type': `application/json; charset=${charset}` };
    const reply = await fetch(urlOf(path), { method: 'POST', headers, body: Buffer.from('{}', 'utf16le') });
    expect([reply.status, await reply.json()]).toMatchObject([
      415,
      { error: { code: 'unsupported_media_type', message: expect.stringContaining('charset=utf-8') } },
    ]);
  });

  test.each(['utf-8', 'UTF8', '"utf-8"', 'us-ascii'])('one in %s is read', async (charset) => {
    const headers = { authorization: `Bearer ${key()}`, 'content-type': `application/json; charset=${charset}` };
    expect((await fetch(urlOf(path), { method: 'POST', headers, body: '{}' })).status).toBe(400);
  });

  const expecting = async (presented: string) => {
    const lines: string[] = [];
    const body = Buffer.from('{}');
    const { hostname, port } = new URL(urlOf(path));
    const socket = connect(Number(port), hostname).setEncoding('latin1');
    socket.on('data', (text: string) => {
      lines.push(...(text.match(/HTTP\/1\.1 \d{3}/g) ?? []).map((line) => line.slice(-3)));
      if (lines.length === 1 && lines[0] === '100') socket.write(body);
      else socket.destroy();
    });
    const head = [`authorization: Bearer ${presented}`, JSON_TYPE, length(body), 'expect: 100-continue'];
    socket.write([`POST ${path} HTTP/1.1`, 'host: weir', ...head, '', ''].join('\r\n'));
    await once(socket, 'close');
    return lines;
  };

  test('a client that waits to be asked for its body is asked once its key is known to be valid', async () => {
    expect(await expecting(key())).toEqual(['100', '400']);
  });

  test('and is not asked where its key is not', async () => {
    expect(await expecting('nobody')).toEqual(['401']);
  });
});
