import { clientOf, type Send } from '../e2e/admin/client.js';
import { brokenInvariants } from '../support/ledger.js';
import { chunk, delta, ScriptedUpstream, USAGE } from '../support/upstream.js';
import { addUpstream, booked, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';
import { SURFACES, send } from './support/surfaces.js';

/** How long an operator's word may take to hold. */
const IN_FORCE_MS = 1_000;

let upstream: ScriptedUpstream;
let weir: TestWeir;
let operator: Send;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
  operator = clientOf(weir, weir.operatorKey);
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

afterAll(async () => {
  await weir.stop();
  await upstream.stop();
});

const statusOf = async ({ apiKey }: TestTenant) => (await fetch(`${weir.publicUrl}/v1/key`, { headers: { 'x-api-key': apiKey } })).status;
const suspend = (tenant: TestTenant) => operator('POST', `/v1/platform/tenants/${tenant.id}/suspend`);
const resume = (tenant: TestTenant) => operator('POST', `/v1/platform/tenants/${tenant.id}/resume`);

describe('a suspended tenant', () => {
  test('is refused on every endpoint within a second, and its call in flight ends and is booked', async () => {
    const tenant = await createTenant(weir);
    await addUpstream(tenant, upstream.baseUrl);
    let finish = () => {};
    upstream.script = async (call, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(delta({ role: 'assistant', content: 'before' }));
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      call.billed = USAGE;
      response.end(`${delta({ content: ' after' }, 'stop')}${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
    };
    const stream = await tenant.openai.chat.completions.create({
      model: 'up/test-model',
      messages: [{ role: 'user', content: 'Hello' }],
      stream: true,
    });
    const pieces = stream[Symbol.asyncIterator]();
    await pieces.next();

    expect((await suspend(tenant)).status).toBe(200);
    await eventually(async () => (await statusOf(tenant)) === 403, IN_FORCE_MS);
    for (const surface of SURFACES) {
      const response = await send({ publicUrl: weir.publicUrl, apiKey: tenant.apiKey }, surface, surface.body('up/test-model'));
      expect([surface.route, response.status, await response.text()]).toEqual([
        surface.route,
        403,
        expect.stringContaining('is suspended'),
      ]);
    }

    finish();
    let text = '';
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) text += piece.value.choices[0]?.delta.content ?? '';
    expect(text).toBe(' after');
    await eventually(async () => (await booked(weir, tenant)).length === 1);
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', estimated: false, output: USAGE.completion_tokens }]);
  });

  test('has admins who may read and change nothing, and works again once it is resumed', async () => {
    const tenant = await createTenant(weir);
    const admin = clientOf(weir, tenant.adminKey);
    await suspend(tenant);
    expect((await admin('GET', '/v1/organization/budgets')).status).toBe(200);
    const refused = await admin('POST', '/v1/organization/projects', { name: 'new' });
    expect([refused.status, refused.body.error.code]).toEqual([403, 'tenant_suspended']);
    expect((await operator('POST', '/v1/organization/projects', { name: 'new' }, { 'x-weir-tenant': tenant.id })).status).toBe(200);

    const { body } = await operator('GET', `/v1/platform/tenants/${tenant.id}`);
    expect(body).toMatchObject({ suspended_at: expect.any(Number) });
    expect((await suspend(tenant)).body).toEqual(body);

    expect((await resume(tenant)).body).toMatchObject({ suspended_at: null });
    expect((await resume(tenant)).status).toBe(200);
    await eventually(async () => (await statusOf(tenant)) === 200, IN_FORCE_MS);
    expect((await admin('POST', '/v1/organization/projects', { name: 'newer' })).status).toBe(200);
  });

  test('leaves a trace of who suspended and who resumed it', async () => {
    const tenant = await createTenant(weir);
    await suspend(tenant);
    await suspend(tenant);
    await resume(tenant);
    const { rows } = await weir.db.query(
      `SELECT kind, payload ->> 'actor' AS actor FROM outbox WHERE 'ten_' || replace(tenant_id::text, '-', '') = $1 ORDER BY id`,
      [tenant.id],
    );
    expect(rows).toEqual([
      { kind: 'tenant.suspended', actor: expect.stringMatching(/^akey_/) },
      { kind: 'tenant.resumed', actor: expect.stringMatching(/^akey_/) },
    ]);
  });

  test('cannot be suspended or resumed by its own admin', async () => {
    const tenant = await createTenant(weir);
    const admin = clientOf(weir, tenant.adminKey);
    await suspend(tenant);
    for (const verb of ['suspend', 'resume']) {
      expect((await admin('POST', `/v1/platform/tenants/${tenant.id}/${verb}`)).status).toBe(403);
    }
    expect((await operator('POST', `/v1/platform/tenants/ten_${'0'.repeat(32)}/suspend`)).status).toBe(404);
  });
});
