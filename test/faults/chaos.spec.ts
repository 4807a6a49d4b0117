import { DurablePostgres } from '../support/durable-postgres.js';
import { Random, sizeOf } from '../support/random.js';
import { audit } from './support/audit.js';
import { Load, livelyUpstream } from './support/load.js';
import { type Gateway, Rig } from './support/rig.js';

/** How often something is killed. By hand: hundreds. */
const KILLS = sizeOf('FAULT_KILLS', 4);
const CLIENTS = sizeOf('FAULT_CLIENTS', 16);
const GATEWAYS = sizeOf('FAULT_GATEWAYS', 2);
/** Of the kills, those that hit Postgres. */
const POSTGRES_SHARE = Number(process.env['FAULT_POSTGRES_SHARE'] ?? 0.3);

jest.setTimeout(60_000 + KILLS * 15_000);

let postgres: DurablePostgres;
let rig: Rig;
/** Its budget is so small that many of its calls are denied. */
let poorKey: string;

beforeAll(async () => {
  postgres = await DurablePostgres.start();
  rig = await Rig.start(await postgres.createDatabase(), {
    async prepare(tenant, post) {
      const key = await post<{ id: string; value: string }>(`projects/${tenant.projectId}/api_keys`, { name: 'poor' });
      await post('budgets', { scope: { kind: 'api_key', value: key.id }, limit: '45.00', period: 'lifetime' });
      poorKey = key.value;
    },
  });
});

afterAll(async () => {
  await rig?.stop();
  await postgres?.stop();
});

async function killPostgres(): Promise<void> {
  await postgres.kill();
  await postgres.restart();
}

async function killGateway(gateway: Gateway): Promise<void> {
  await rig.kill(gateway);
  await rig.restart(gateway);
}

test(`${KILLS} kills of gateways, their workers and Postgres under load: no call lost, none booked twice, nothing overspent, nothing held`, async () => {
  const random = Random.ofRun('chaos');
  rig.upstream.script = livelyUpstream(random.branch(-1));
  const keys = [rig.tenant.apiKey, rig.tenant.apiKey, rig.tenant.apiKey, poorKey];
  const gateways = await Promise.all(
    Array.from({ length: GATEWAYS }, (_, index) => rig.spawn(`gateway-${index}`, { WEIR_ROLES: 'gateway,worker' })),
  );
  const load = new Load(rig, random, CLIENTS, keys);
  const decisions = random.branch(1_000_000);
  const kills = { gateway: 0, postgres: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, decisions.int(200, 1_200)));
    // The first two are one of each, so that a small run has both.
    const hitsPostgres = kill === 0 || (kill > 1 && decisions.chance(POSTGRES_SHARE));
    kills[hitsPostgres ? 'postgres' : 'gateway']++;
    if (hitsPostgres && decisions.chance(0.2)) await Promise.all([killPostgres(), rig.kill(decisions.pick(gateways))]);
    else if (hitsPostgres) await killPostgres();
    else await killGateway(decisions.pick(gateways));
    for (const gateway of gateways) if (!gateway.url) await rig.restart(gateway);
  }
  await load.stop();
  for (const gateway of gateways) await rig.end(gateway);
  for (const gateway of gateways) await rig.restart(gateway);
  await rig.settled();

  const { broken, ...counts } = await audit(rig.db, { upstream: rig.upstream.calls, seen: load.seen });
  process.stderr.write(`chaos: ${JSON.stringify(kills)}; ${load.summary()}; ${JSON.stringify(counts)}\n`);
  expect(broken).toEqual([]);
  expect(load.count('whole')).toBeGreaterThan(0);
});
