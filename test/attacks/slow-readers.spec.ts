import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { WeirProcess } from '../support/process.js';
import { ScriptedUpstream } from '../support/upstream.js';
import { booked, createTenant, eventually, type TestTenant, type TestWeir } from '../support/weir.js';
import { eventsOf, PROVIDER_FORMATS } from './support/formats.js';
import { CONVERSATIONS, type SurfaceRow } from './support/surfaces.js';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
/** What the provider wants to send. */
const LONG = 200 * MIB;
/** What two connections have in the buffers of their kernel, and the gateway in its own. */
const BUFFERED = 50 * MIB;
/** A provider whose connection has taken nothing for so long is held back. */
const IDLE_MS = 300;

let home: string;
let database: TestDatabase;
let child: WeirProcess;
let weir: TestWeir;
let tenant: TestTenant;
let upstream: ScriptedUpstream;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'weir-slow-'));
  database = await createDatabase();
  upstream = await ScriptedUpstream.start();
  child = WeirProcess.spawn({
    DATABASE_URL: database.url,
    WEIR_HOME: home,
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
    WEIR_ROLES: 'control,gateway',
    WEIR_EGRESS_ALLOW: upstream.hostPort,
    WEIR_LEDGER_TIMEOUT_MS: '5000',
  });
  const { public: publicUrl, admin: adminUrl, operator_key } = await child.ready();
  const db = openPool(database.url);
  weir = { publicUrl, adminUrl, operatorKey: operator_key!, db, databaseUrl: database.url, stop: async () => {} };
  tenant = await createTenant(weir);
  for (const { dialect, type, basePath } of PROVIDER_FORMATS) {
    if (!Object.values(FORMATS).includes(dialect)) continue;
    const base_url = `http://${upstream.hostPort}${basePath}`;
    await tenant.admin('POST', '/v1/organization/prices', { provider: dialect, model: '*', input: '1', output: '2' });
    await tenant.admin('POST', '/v1/organization/providers', {
      name: dialect,
      type,
      dialect,
      base_url,
      key: 'secret',
      models: ['*'],
      on_client_gone: 'cancel',
    });
  }
  for (const dialect of Object.values(FORMATS))
    await eventually(() => tenant.openai.models.retrieve(`${dialect}/m`).then(Boolean, () => false), 20_000);
});

afterAll(async () => {
  await child.kill('SIGTERM');
  expect(await brokenInvariants(weir.db)).toEqual([]);
  await weir.db.end();
  await upstream.stop();
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

/** The format of the provider that a surface is asked for: its own, so that events pass, or another one. */
const FORMATS: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'openai-chat',
  '/v1/completions': 'openai-completions',
  '/v1/responses': 'openai-responses',
  '/v1/messages': 'anthropic-messages',
  '/v1/chat/complete': 'gemini',
};

/** A provider that writes as fast as its connection takes it. */
class Flood {
  written = 0;
  private writtenAt = Number.POSITIVE_INFINITY;

  constructor(
    private readonly type: string,
    private readonly first: Buffer,
    private readonly piece: Buffer,
  ) {}

  readonly script = (_call: unknown, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': this.type });
    response.write(this.first);
    const more = () => {
      for (let isTaken = true; isTaken && this.written < LONG && !response.destroyed; ) {
        this.written += this.piece.length;
        this.writtenAt = performance.now();
        isTaken = response.write(this.piece);
      }
    };
    response.on('drain', more);
    more();
  };

  /** Resolves when it is held back, or has sent all. */
  heldBack(): Promise<void> {
    return eventually(async () => this.written >= LONG || performance.now() - this.writtenAt > IDLE_MS, 10_000);
  }
}

/** The same event of an answer, over and over. */
function endless(dialect: string): Flood {
  const format = PROVIDER_FORMATS.find((one) => one.dialect === dialect)!;
  const { type, events } = eventsOf(format, { text: 'word '.repeat(8_000), usage: { input: 9, cacheRead: 0, output: 12 } });
  const at = events.findIndex((event) => event.includes('"word word') || event.includes(' word word'));
  return new Flood(type, Buffer.concat(events.slice(0, at)), events[at]!);
}

function ask({ path, body, limitField }: SurfaceRow, model: string, stream: boolean): Socket {
  const { hostname, port } = new URL(weir.publicUrl);
  const text = JSON.stringify(body(model, 'Hi', { [limitField!]: 10_000_000, stream }));
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.pause();
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer ${tenant.apiKey}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
  return socket;
}

const memory = async (): Promise<number> => {
  const text = await (await fetch(`${weir.adminUrl}/metrics`)).text();
  const bytes = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1]);
  return bytes('nodejs_external_memory_bytes') + bytes('nodejs_heap_size_used_bytes');
};

const rows = async (): Promise<number> => (await booked(weir, tenant)).length;

test.each(CONVERSATIONS.map((surface) => [surface.path, surface] as const))(
  '%s: a client that reads slowly holds its provider back, and gets more when it reads on',
  async (path, surface) => {
    const [before, booked] = [await memory(), await rows()];
    const flood = endless(FORMATS[path]!);
    upstream.script = flood.script;
    const socket = ask(surface, `${FORMATS[path]}/m`, true);
    await flood.heldBack();
    const { written } = flood;
    expect(written).toBeLessThan(BUFFERED);
    expect((await memory()) - before).toBeLessThan(BUFFERED);
    socket.resume();
    await eventually(async () => flood.written > written + MIB, 10_000);
    socket.pause();
    await flood.heldBack();
    expect(flood.written).toBeLessThan(LONG);
    // What has gone on to the client may still be garbage.
    expect((await memory()) - before).toBeLessThan(2 * BUFFERED);
    socket.destroy();
    await eventually(async () => (await rows()) > booked, 10_000);
  },
);

test.each(CONVERSATIONS.map((surface) => [surface.path, surface] as const))(
  '%s: of a whole reply no more is read than may be kept',
  async (path, surface) => {
    const [before, booked] = [await memory(), await rows()];
    const flood = new Flood('application/json', Buffer.from('{"x":"'), Buffer.alloc(MIB, 'a'));
    upstream.script = flood.script;
    const socket = ask(surface, `${FORMATS[path]}/m`, false);
    await eventually(async () => (await rows()) > booked, 20_000);
    await flood.heldBack();
    expect(flood.written).toBeLessThan(BUFFERED);
    expect((await memory()) - before).toBeLessThan(2 * BUFFERED);
    socket.destroy();
  },
);
