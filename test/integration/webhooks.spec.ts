import { createServer, type Server } from 'node:net';
import type { Pool } from 'pg';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { publicId } from '../../src/kernel/ids.js';
import { Keyring, Secret } from '../../src/platform/crypto/index.js';
import { DestinationGuard, type Egress } from '../../src/platform/egress/index.js';
import { createPool, PLATFORM, sqlFunction } from '../../src/platform/postgres/index.js';
import { createLogger, Metrics } from '../../src/platform/telemetry/index.js';
import { DeliveriesRepository } from '../../src/webhooks/deliveries.repository.js';
import { Deliverer, type Webhook, WebhooksService } from '../../src/webhooks/index.js';
import { statusOf } from '../../src/webhooks/post.js';
import { WebhooksRepository } from '../../src/webhooks/webhooks.repository.js';
import { moveClock } from '../support/clock.js';
import { ConnectSpy } from '../support/connect-spy.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { address, openEgress, scriptedNames } from '../support/egress.js';
import { insertTenant } from '../support/ledger.js';
import { hang, json, ScriptedUpstream } from '../support/upstream.js';

/** Webhooks at their own level: what is sent when, to whom, and what becomes of it. */

const log = createLogger('silent');
const SCHEDULE = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let egress: Egress;
let receiver: ScriptedUpstream;
let mail: MailServer;
let service: WebhooksService;
let deliveries: DeliveriesRepository;
let repository: WebhooksRepository;
let deliverer: Deliverer;
let tenant: string;
let count = 0;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  receiver = await ScriptedUpstream.start();
  mail = await MailServer.start();
  egress = openEgress([receiver.hostPort]);
  const keyring = await Keyring.open(pool, { current: 'test master key, at least 32 characters', previous: null }, log);
  const smtp = { url: new Secret(`smtp://127.0.0.1:${mail.port}`), from: 'Weir <weir@example.com>' };
  repository = new WebhooksRepository(keyring, pool);
  deliveries = new DeliveriesRepository(pool);
  service = new WebhooksService(repository, deliveries, new DestinationGuard([receiver.hostPort]), { smtp });
  deliverer = new Deliverer(deliveries, repository, egress, new Metrics(), { smtp }, log);
});

beforeEach(async () => {
  await moveClock(db, '0 seconds');
  await db.query('DELETE FROM webhooks; DELETE FROM outbox');
  receiver.calls.length = 0;
  receiver.script = json(204, '');
  tenant = await insertTenant(db, []);
});

afterAll(async () => {
  await egress.close();
  await Promise.all([db.end(), pool.end()]);
  await Promise.all([database.drop(), receiver.stop(), mail.stop()]);
});

async function add(fields: Partial<Webhook> = {}, given: { url?: string; emails?: string[] } = { url: receiver.baseUrl }) {
  const defaults = { tenantId: tenant, name: 'w', format: 'standard' as const, types: null, tenantEvents: false, metadata: {} };
  return service.create({ ...defaults, ...fields }, given, true);
}

/** Writes an event as the product does. */
const emit = (kind = 'key.revoked', about = tenant, payload: object = { name: 'k' }) =>
  db.query(`SELECT ${sqlFunction('emit_event')}($1, $2, $3, $4)`, [about, kind, `test:${++count}`, payload]);

const all = async (webhook: Webhook) =>
  (await service.listDeliveries(webhook.tenantId, webhook.id, { limit: 100, order: 'asc' })).deliveries;
const only = async (webhook: Webhook) => {
  const found = await all(webhook);
  expect(found).toHaveLength(1);
  return found[0]!;
};
const idsSent = () => receiver.calls.map(({ headers }) => headers['webhook-id']);

test('a receiver that fails is asked again by the schedule with the same id, and no more after that; a replay begins anew', async () => {
  receiver.script = json(500, {});
  const { webhook } = await add();
  await emit();
  let at = 0;
  for (const [index, seconds] of SCHEDULE.entries()) {
    await deliverer.run();
    const { rows } = await db.query<{ wait: number }>(
      'SELECT extract(epoch FROM next_attempt_at - weir_now())::float8 AS wait FROM webhook_deliveries',
    );
    expect(rows[0]!.wait).toBeGreaterThan(seconds - 2);
    expect(rows[0]!.wait).toBeLessThanOrEqual(seconds * 1.1);
    await deliverer.run();
    expect([receiver.calls.length, await only(webhook)]).toEqual([
      index + 1,
      expect.objectContaining({ state: 'pending', attempts: index + 1, lastStatus: 500 }),
    ]);
    at += seconds * 1.1 + 1;
    await moveClock(db, `${at} seconds`);
  }
  await deliverer.run();
  const dead = await only(webhook);
  expect(dead).toMatchObject({ state: 'dead', attempts: 8, lastStatus: 500, endedAt: expect.any(Date) });
  await moveClock(db, `${at + 1_000_000} seconds`);
  await deliverer.run();
  expect(idsSent()).toEqual(Array.from({ length: 8 }, () => publicId('delivery', dead.id)));

  receiver.script = json(200, {});
  expect(await service.replayDead(tenant, webhook.id)).toBe(1);
  await deliverer.run();
  expect([idsSent().at(-1), await only(webhook)]).toEqual([
    publicId('delivery', dead.id),
    expect.objectContaining({ state: 'delivered', attempts: 1, lastStatus: 200, lastFailure: null }),
  ]);
  await service.replay(tenant, webhook.id, dead.id);
  await expect(service.replay(tenant, webhook.id, dead.id)).rejects.toMatchObject({ code: 'conflict' });
});

test('the schedule differs by up to a tenth from delivery to delivery', async () => {
  receiver.script = json(500, {});
  await add();
  for (let made = 0; made < 8; made++) await emit();
  for (let run = 0; run < 3; run++) await deliverer.run();
  const { rows } = await db.query<{ n: number }>(
    `SELECT count(DISTINCT round(extract(epoch FROM next_attempt_at) * 1000))::int AS n FROM webhook_deliveries WHERE attempts = 1`,
  );
  expect(rows[0]!.n).toBeGreaterThan(4);
});

test.each([300, 302, 308, 404, 429, 503])('the status %i is no success, and a redirect is not followed', async (status) => {
  receiver.script = json(status, {}, { location: `${receiver.baseUrl}/elsewhere` });
  const { webhook } = await add();
  await emit();
  await deliverer.run();
  expect(receiver.calls.map(({ path }) => path)).toEqual(['/v1']);
  expect(await only(webhook)).toMatchObject({ state: 'pending', attempts: 1, lastStatus: status });
});

test('410 disables the webhook: nothing is sent any more, and a replay waits until it is enabled again', async () => {
  receiver.script = json(410, {});
  const { webhook } = await add();
  await emit();
  await deliverer.run();
  await emit();
  await deliverer.run();
  expect(await only(webhook)).toMatchObject({ state: 'dead', lastStatus: 410 });
  expect(await service.get(tenant, webhook.id)).toMatchObject({ disabledBy: 'receiver' });
  expect(receiver.calls).toHaveLength(1);
  await expect(service.replayDead(tenant, webhook.id)).rejects.toMatchObject({ code: 'conflict' });
  await expect(service.test(tenant, webhook.id)).rejects.toMatchObject({ code: 'conflict' });

  receiver.script = json(200, {});
  await service.update(tenant, webhook.id, { enabled: true });
  await service.replayDead(tenant, webhook.id);
  await deliverer.run();
  expect(await only(webhook)).toMatchObject({ state: 'delivered' });
});

test('who disables a webhook gives up what is pending, and what happens meanwhile is not told', async () => {
  receiver.script = json(500, {});
  const { webhook } = await add();
  await emit();
  await deliverer.run();
  await service.update(tenant, webhook.id, { enabled: false });
  await emit();
  await deliverer.run();
  expect(await only(webhook)).toMatchObject({ state: 'dead', attempts: 1 });
});

test('a receiver that never answers does not keep others from being told', async () => {
  receiver.script = hang;
  const slow = await Promise.all(Array.from({ length: 20 }, () => add()));
  for (let made = 0; made < 10; made++) await emit();
  await deliverer.run();
  const other = await insertTenant(db, []);
  const { webhook } = await add({ tenantId: other });
  await emit('key.revoked', other);
  receiver.script = json(200, {});
  await deliverer.run();
  expect(await only(webhook)).toMatchObject({ state: 'delivered' });
  const tried = await Promise.all(slow.map(async (one) => (await all(one.webhook)).filter(({ attempts }) => attempts > 0).length));
  expect([tried.reduce((sum, n) => sum + n), Math.max(...tried) <= 4]).toEqual([16, true]);
  // They are let go of.
  await egress.close();
  egress = openEgress([receiver.hostPort]);
  await deliverer.onApplicationShutdown();
  deliverer = new Deliverer(deliveries, repository, egress, new Metrics(), { smtp: null }, log);
});

test('what nobody said the end of is sent again a minute later, under its id', async () => {
  const { webhook } = await add();
  await emit();
  await deliveries.handOn();
  const [taken] = await deliveries.take({ inAll: 9, ofWebhook: 9, ofOwner: 9 }, []);
  await deliverer.run();
  expect(receiver.calls).toEqual([]);
  await moveClock(db, '61 seconds');
  await deliverer.run();
  expect(idsSent()).toEqual([publicId('delivery', taken!.id)]);
  // The word of the first attempt comes too late to change anything.
  await deliveries.note(taken!, { status: 500, failure: null, againIn: 5 }, false);
  expect(await only(webhook)).toMatchObject({ state: 'delivered', attempts: 2 });
});

test('two workers at once hand each event on once, and send it once', async () => {
  const { webhook } = await add();
  for (let made = 0; made < 40; made++) await emit();
  const second = new Deliverer(deliveries, repository, egress, new Metrics(), { smtp: null }, log);
  for (let run = 0; run < 12; run++) await Promise.all([deliverer.run(), second.run()]);
  expect((await all(webhook)).map(({ state }) => state)).toEqual(Array.from({ length: 40 }, () => 'delivered'));
  expect(new Set(idsSent()).size).toBe(40);
  expect(receiver.calls).toHaveLength(40);
});

test('a webhook is told of its types and its tenant only; one of the platform of tenants only where it asks for them', async () => {
  const other = await insertTenant(db, []);
  const told = {
    own: (await add()).webhook,
    typed: (await add({ types: ['budget.granted'] })).webhook,
    others: (await add({ tenantId: other })).webhook,
    platform: (await add({ tenantId: null })).webhook,
    everyone: (await add({ tenantId: null, tenantEvents: true })).webhook,
  };
  await emit('key.revoked');
  await emit('provider.unhealthy', PLATFORM, {});
  await emit('ledger.audit_failed', tenant, {});
  await emit('tenant.suspended', tenant, {});
  await deliverer.run();
  const types = await Promise.all(Object.values(told).map(async (webhook) => (await all(webhook)).map(({ event }) => event.type)));
  expect(Object.fromEntries(Object.keys(told).map((name, index) => [name, types[index]]))).toEqual({
    own: ['key.revoked'],
    typed: [],
    others: [],
    platform: ['provider.unhealthy', 'ledger.audit_failed'],
    everyone: ['key.revoked', 'provider.unhealthy', 'ledger.audit_failed'],
  });
  // Of what was before it, a new one hears nothing.
  expect(await all((await add()).webhook)).toEqual([]);
});

test('while a secret is rotated, what is sent is signed by both; after the overlap by the new one', async () => {
  const { webhook, secret } = await add();
  const rotated = await service.rotate(tenant, webhook.id, 3_600);
  await emit();
  await deliverer.run();
  const { text, headers } = receiver.calls[0]!;
  const verify = (by: string, call = { text, headers }) =>
    new StandardWebhook(by).verify(call.text, call.headers as Record<string, string>);
  for (const by of [secret!, rotated.secret])
    expect(verify(by)).toEqual({
      type: 'key.revoked',
      timestamp: expect.any(String),
      data: { tenant: publicId('tenant', tenant), name: 'k' },
    });
  expect(() => verify(secret!, { text: `${text} `, headers })).toThrow();

  const last = await service.rotate(tenant, webhook.id, 0);
  await emit();
  await deliverer.run();
  expect(() => verify(last.secret, receiver.calls[1])).not.toThrow();
  for (const by of [secret!, rotated.secret]) expect(() => verify(by, receiver.calls[1])).toThrow();
});

test('at rest neither a secret nor the path of an address can be read, and what is sealed opens for its own webhook only', async () => {
  const first = await add({}, { url: `${receiver.baseUrl}/hook?token=t0ken` });
  const second = await add({ format: 'slack' }, { url: `${receiver.baseUrl}/services/T0/B0/x0x` });
  const { rows } = await db.query<{ row: string }>('SELECT w::text AS row FROM webhooks w');
  const text = JSON.stringify(rows) + rows.map(({ row }) => Buffer.from(row, 'hex').toString()).join();
  for (const secret of [first.secret!, 't0ken', 'services']) expect(text).not.toContain(secret);
  expect([first.webhook.address, second.webhook.address]).toEqual([`${receiver.baseUrl}/hook?…`, `http://${receiver.hostPort}/…`]);
  await db.query('UPDATE webhooks SET sealed = (SELECT sealed FROM webhooks WHERE id = $2) WHERE id = $1', [
    second.webhook.id,
    first.webhook.id,
  ]);
  await emit();
  await deliverer.run();
  expect(receiver.calls.map(({ path }) => path)).toEqual(['/v1/hook?token=t0ken']);
  expect(await only(second.webhook)).toMatchObject({ state: 'pending', lastFailure: 'unreadable' });
});

describe('to people', () => {
  const BUDGET = { budget_id: '01a22936-173e-7000-b733-355d082ad693', scope_kind: 'end_user', scope_value: '<ann>', threshold_percent: 80 };
  const MONEY = {
    limit_nano: '10000000000',
    granted_nano: '0',
    spent_nano: '8000000001',
    starts_at: '2026-11-01T00:00:00Z',
    ends_at: null,
  };
  const TEXT =
    'The budget bud_01a22936173e7000b733355d082ad693 of end user <ann> has spent 8.000000001 USD. Its limit is 10.00 USD, with grants of 0.00 USD. Its period does not end.';
  const happen = () => emit('budget.threshold_reached', tenant, { ...BUDGET, ...MONEY });

  test('Slack gets a text in which no name is a mention', async () => {
    await add({ format: 'slack' });
    await happen();
    await deliverer.run();
    expect(receiver.calls[0]!.body).toEqual({
      text: `*A budget has reached 80% of its limit*\n${TEXT.replace('<ann>', '&lt;ann&gt;')}`,
    });
    expect(receiver.calls[0]!.headers).not.toHaveProperty('webhook-signature');
  });

  test('Teams gets an adaptive card', async () => {
    await add({ format: 'teams' }, { url: `${receiver.baseUrl}/workflows?sig=a%2Bb` });
    await happen();
    await deliverer.run();
    expect(receiver.calls[0]).toMatchObject({
      path: '/v1/workflows?sig=a%2Bb',
      body: {
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            content: { type: 'AdaptiveCard', body: [{ text: 'A budget has reached 80% of its limit' }, { text: expect.any(String) }] },
          },
        ],
      },
    });
  });

  test('a mail server gets a mail per event, and one that refuses is asked again', async () => {
    const smtp = { url: new Secret(`smtp://127.0.0.1:${mail.port}`), from: 'Weir <weir@example.com>' };
    const mailing = new Deliverer(deliveries, repository, egress, new Metrics(), { smtp }, log);
    const { webhook } = await add({ format: 'email' }, { emails: ['a@example.com', 'b@example.com'] });
    await happen();
    mail.refuses = true;
    await mailing.run();
    expect(await only(webhook)).toMatchObject({ state: 'pending', lastStatus: null, lastFailure: 'rejected' });
    mail.refuses = false;
    await moveClock(db, '10 seconds');
    await mailing.run();
    expect(await only(webhook)).toMatchObject({ state: 'delivered', attempts: 2 });
    expect(mail.recipients).toEqual(['a@example.com', 'b@example.com']);
    expect(mail.text.replaceAll('=\r\n', '')).toContain('Subject: A budget has reached 80% of its limit');
    expect(mail.text.replaceAll('=\r\n', '')).toContain('8.000000001 USD');
  });
});

describe('where webhooks may lead', () => {
  test.each([
    'http://hooks.example.com/x',
    'https://169.254.169.254/latest/meta-data',
    'https://[fd00:ec2::254]/',
    'https://2130706433/',
    'https://localhost/',
    'https://10.0.0.1/?a=b',
    'https://user:pw@hooks.example.com/',
    'https://hooks.example.com:8443/',
    'https://hooks.example.com/#a',
    'https://hooks.example.com/?a b',
    'https://hooks.example.com/?a=b#c',
    'https://metadata.google.internal/?x',
    'ftp://hooks.example.com/',
    '//hooks.example.com',
  ])('%s is refused', async (url) => {
    await expect(add({}, { url })).rejects.toMatchObject({ code: 'invalid_request', param: 'url' });
    const { webhook } = await add();
    await expect(service.update(tenant, webhook.id, { url })).rejects.toMatchObject({ code: 'invalid_request', param: 'url' });
  });

  test('a name that leads inside by the time it is used is not connected to, and says no more than a closed port', async () => {
    const spy = new ConnectSpy();
    const rebound = openEgress([], scriptedNames([address('169.254.169.254')]).lookup);
    const sent = statusOf(rebound, { origin: 'https://hooks.example.com', path: '/', headers: [], body: '{}' }, 5_000);
    await expect(sent).rejects.toMatchObject({ failure: 'unreachable' });
    expect(spy.attempts).toEqual([]);
    spy.stop();
    await rebound.close();
  });

  test('a reply counts by its status, however long it is, and one that does not come is a time-out', async () => {
    const request = { origin: `http://${receiver.hostPort}`, path: '/', headers: ['content-type', 'application/json'], body: '{}' };
    receiver.script = json(200, 'x'.repeat(5_000_000));
    expect(await statusOf(egress, request, 5_000)).toBe(200);
    expect(await receiver.calls[0]!.closed).toBe(true);
    receiver.script = hang;
    await expect(statusOf(egress, request, 100)).rejects.toMatchObject({ failure: 'timeout' });
    expect(await receiver.calls[1]!.closed).toBe(true);
  });
});

test('an owner has at most 50 webhooks', async () => {
  const made = await Promise.allSettled(Array.from({ length: 55 }, () => add()));
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(50);
  expect(made.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'too_many' } });
});

/** As much of SMTP as one client speaks. */
class MailServer {
  recipients: string[] = [];
  text = '';
  refuses = false;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<MailServer> {
    const server = createServer();
    const mail = new MailServer(server);
    server.on('connection', (socket) => {
      let inData = false;
      socket.write('220 mail\r\n');
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const said = chunk.toString();
        if (inData) {
          mail.text += said;
          if (!mail.text.endsWith('\r\n.\r\n')) return;
          inData = false;
          socket.write('250 taken\r\n');
          return;
        }
        for (const line of said.split('\r\n').filter(Boolean)) {
          if (line.startsWith('RCPT TO:')) mail.recipients.push(/<(.*)>/.exec(line)![1]!);
          if (line === 'DATA') {
            inData = true;
            mail.text = '';
          }
          if (line.startsWith('MAIL FROM:') && mail.refuses) socket.write('451 not now\r\n');
          else socket.write(inData ? '354 go on\r\n' : line === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n');
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return mail;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}
