import { createCipheriv, createHmac, hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { CredentialsRepository } from '../../src/credentials/index.js';
import { Keyring, MasterKeyMismatch, type MasterKeys, Secret } from '../../src/platform/crypto/index.js';
import { createPool, createTenantPool, inTenantScope, Prisma } from '../../src/platform/postgres/index.js';
import { createLogger } from '../../src/platform/telemetry/index.js';
import type { ProviderRecord } from '../../src/providers/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';

const V1 = 'the first master key, at least 32 characters';
const V2 = 'the second master key, at least 32 characters';
const only = (current: string): MasterKeys => ({ current, previous: null });
const log = createLogger('silent');

let database: TestDatabase;
/** As the owner. */
let db: Pool;
let pool: Pool;
let prisma: Prisma;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  prisma = new Prisma(pool);
});

afterEach(async () => {
  await prisma.$disconnect();
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const start = (masterKeys: MasterKeys) => Keyring.open(pool, masterKeys, log);
const repositoryOf = (keyring: Keyring) => new CredentialsRepository(prisma, keyring, pool);

async function addTenant(): Promise<string> {
  const id = randomUUID();
  await db.query(`INSERT INTO tenants (id, name) VALUES ($1, 'test')`, [id]);
  return id;
}

async function addProvider(tenantId: string | null, baseUrl = 'https://a.example'): Promise<ProviderRecord> {
  const provider = { id: randomUUID(), tenantId, name: `p-${randomBytes(4).toString('hex')}`, type: 'openai', baseUrl };
  await db.query('INSERT INTO providers (id, tenant_id, name, type, base_url) VALUES ($1, $2, $3, $4, $5)', Object.values(provider));
  const unset = {
    dialect: null,
    nativeTools: null,
    onClientGone: null,
    auth: null,
    quirks: {},
    gatewayOptions: null,
    defaultModel: null,
    capabilities: null,
  };
  return { ...provider, ...unset, models: ['*'], awaitsKey: false, byOperator: false, createdAt: new Date() };
}

/** Every secret that opens, and the ids of the credentials that do not. */
async function look(keyring: Keyring) {
  const read = (await Array.fromAsync(repositoryOf(keyring).open(null))).flatMap(([, credentials]) => credentials);
  return {
    secrets: read.flatMap(({ secret }) => secret?.reveal() ?? []).sort(),
    closed: read.flatMap(({ id, secret }) => (secret === null ? [id] : [])),
  };
}

const wrappedBy = async () =>
  (await db.query<{ master_key: string | null; count: number }>('SELECT master_key, count(*)::int AS count FROM data_keys GROUP BY 1'))
    .rows;

/** As installations sealed before each owner had a key: one key for all, wrapped by the master key, which no row named. */
class OldInstallation {
  private readonly key = randomBytes(32);
  private readonly pepper = randomBytes(32);

  async make(masterKey: string): Promise<void> {
    const kek = Buffer.from(hkdfSync('sha256', masterKey, '', 'weir master key', 32));
    for (const [purpose, key] of [
      ['credentials', this.key],
      ['pepper', this.pepper],
    ] as const)
      await db.query('INSERT INTO data_keys (id, purpose, version, wrapped) VALUES ($1, $2, 1, $3)', [
        randomUUID(),
        purpose,
        this.seal(kek, key, `v1|data-key|${purpose}`),
      ]);
  }

  digest(text: string): string {
    return createHmac('sha256', this.pepper).update(text).digest('hex');
  }

  async put(provider: ProviderRecord, secret: string): Promise<void> {
    const context = `v1|${provider.tenantId ?? '00000000-0000-0000-0000-000000000000'}|${provider.id}|${provider.baseUrl}|api-key`;
    await db.query('INSERT INTO credentials (id, tenant_id, provider_id, origin, sealed) VALUES ($1, $2, $3, $4, $5)', [
      randomUUID(),
      provider.tenantId,
      provider.id,
      provider.baseUrl,
      this.seal(this.key, Buffer.from(secret), context),
    ]);
  }

  private seal(key: Buffer, plaintext: Buffer, context: string): Buffer {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 }).setAAD(Buffer.from(context));
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    return Buffer.concat([Buffer.of(1), iv, cipher.getAuthTag(), ciphertext]);
  }
}

test('each tenant, and the platform, has a data key of its own', async () => {
  const keyring = await start(only(V1));
  const [alice, bob] = [await addTenant(), await addTenant()];
  for (const owner of [alice, bob, null]) {
    await repositoryOf(keyring).put(await addProvider(owner), [new Secret('sk-1')]);
    await repositoryOf(keyring).put(await addProvider(owner), [new Secret('sk-2')]);
  }
  const { rows } = await db.query<{ tenant: string | null; keys: string[] }>(
    `SELECT tenant_id AS tenant, array_agg(DISTINCT encode(substr(sealed, 2, 16), 'hex')) AS keys FROM credentials GROUP BY 1`,
  );
  expect(rows.map(({ keys }) => keys.length)).toEqual([1, 1, 1]);
  expect(new Set(rows.flatMap(({ keys }) => keys)).size).toBe(3);
  expect((await look(await start(only(V1)))).secrets).toHaveLength(6);
});

test('processes that need the key of a tenant at once agree on one', async () => {
  const keyrings = await Promise.all(Array.from({ length: 4 }, () => start(only(V1))));
  const tenant = await addTenant();
  const sealed = await Promise.all(keyrings.map((keyring) => keyring.seal(tenant, new Secret('sk-1'), 'context')));
  for (const keyring of keyrings) for (const one of sealed) expect((await keyring.open(one, 'context')).reveal()).toBe('sk-1');
});

test('a process opens what another sealed with a key that was made after it started', async () => {
  const [early, late] = [await start(only(V1)), await start(only(V1))];
  const sealed = await late.seal(await addTenant(), new Secret('sk-1'), 'context');
  expect((await early.open(sealed, 'context')).reveal()).toBe('sk-1');
});

test('what an installation sealed before tenants had keys opens, goes on opening, and moves over without a gap', async () => {
  const old = new OldInstallation();
  await old.make(V1);
  const [tenant, own] = [await addTenant(), await addProvider(null)];
  await old.put(await addProvider(tenant), 'sk-of-the-tenant');
  await old.put(own, 'sk-of-the-platform');
  const all = { secrets: ['sk-of-the-platform', 'sk-of-the-tenant'], closed: [] };

  const before = await start(only(V1));
  expect(createHmac('sha256', before.pepper).update('key').digest('hex')).toBe(old.digest('key'));
  expect(await look(before)).toEqual(all);

  const after = await start({ current: V2, previous: V1 });
  expect(await look(after)).toEqual(all);
  expect(await repositoryOf(after).moveOver()).toBe(2);
  expect(await repositoryOf(after).moveOver()).toBe(0);
  expect((await db.query(`SELECT 1 FROM credentials WHERE get_byte(sealed, 0) = 1`)).rowCount).toBe(0);
  expect(await look(after)).toEqual(all);
  expect(await look(await start(only(V2)))).toEqual(all);
  expect((await repositoryOf(after).summaries([own.id])).get(own.id)).toMatchObject([{ last4: 'form' }]);
});

test('replacing the master key re-wraps every data key once, whoever comes, and nothing that is sealed changes', async () => {
  const first = await start(only(V1));
  for (let tenant = 0; tenant < 5; tenant++)
    await repositoryOf(first).put(await addProvider(await addTenant()), [new Secret(`sk-${tenant}`)]);
  const sealed = async () => (await db.query<{ sealed: Buffer }>('SELECT sealed FROM credentials ORDER BY id')).rows;
  const [before, { secrets }, pepper] = [await sealed(), await look(first), first.pepper.export().toString('hex')];

  const keyrings = await Promise.all(Array.from({ length: 4 }, () => start({ current: V2, previous: V1 })));
  expect(await wrappedBy()).toEqual([{ master_key: expect.any(String), count: 6 }]);
  expect(await sealed()).toEqual(before);
  const alone = await start(only(V2));
  for (const keyring of [first, ...keyrings, alone]) {
    expect(await look(keyring)).toEqual({ secrets, closed: [] });
    expect(keyring.pepper.export().toString('hex')).toBe(pepper);
  }
  await expect(start(only(V1))).rejects.toThrow(MasterKeyMismatch);
});

test('a process on the old master key goes on after the change, and stores secrets that the new one opens', async () => {
  const old = await start(only(V1));
  const provider = await addProvider(await addTenant());
  await repositoryOf(old).put(provider, [new Secret('sk-before')]);
  await start({ current: V2, previous: V1 });
  await repositoryOf(old).put(provider, [new Secret('sk-after')]);
  expect((await look(old)).secrets).toEqual(['sk-after']);
  expect((await look(await start(only(V2)))).secrets).toEqual(['sk-after']);
});

test('a data key that a process on the old master key makes late is re-wrapped by whoever reads it', async () => {
  const old = await start(only(V1));
  const fresh = await start({ current: V2, previous: V1 });
  await repositoryOf(old).put(await addProvider(await addTenant()), [new Secret('sk-late')]);
  expect((await look(fresh)).secrets).toEqual(['sk-late']);
  expect((await look(await start(only(V2)))).secrets).toEqual(['sk-late']);
});

test('a change of the master key can be taken back, also when it was cut off half-way', async () => {
  const first = await start(only(V1));
  for (let tenant = 0; tenant < 3; tenant++)
    await repositoryOf(first).put(await addProvider(await addTenant()), [new Secret(`sk-${tenant}`)]);
  const { rows: before } = await db.query('SELECT id, wrapped, master_key FROM data_keys ORDER BY id LIMIT 2');
  await start({ current: V2, previous: V1 });
  // As if it had been killed before it came to these two.
  for (const { id, wrapped, master_key } of before)
    await db.query('UPDATE data_keys SET wrapped = $2, master_key = $3 WHERE id = $1', [id, wrapped, master_key]);
  expect(await wrappedBy()).toHaveLength(2);

  expect((await look(await start({ current: V1, previous: V2 }))).secrets).toEqual(['sk-0', 'sk-1', 'sk-2']);
  expect(await wrappedBy()).toHaveLength(1);
  expect((await look(await start(only(V1)))).secrets).toEqual(['sk-0', 'sk-1', 'sk-2']);
  await expect(start(only(V2))).rejects.toThrow(/set WEIR_MASTER_KEY to the one it was set up with/);
});

describe('a sealed secret that somebody tampered with', () => {
  test('does not open, whichever byte was changed, of itself or of the key it is sealed by', async () => {
    const keyring = await start(only(V1));
    const provider = await addProvider(await addTenant());
    await repositoryOf(keyring).put(provider, [new Secret('sk-secret-of-the-provider')]);
    const [{ id, sealed }] = (await db.query<{ id: string; sealed: Buffer }>('SELECT id, sealed FROM credentials')).rows as [never];
    for (let at = 0; at < (sealed as Buffer).length; at++) {
      for (const bit of [1, 2, 128]) {
        await db.query('UPDATE credentials SET sealed = set_byte($2, $3, get_byte($2, $3) # $4) WHERE id = $1', [id, sealed, at, bit]);
        expect(await look(keyring)).toEqual({ secrets: [], closed: [id] });
      }
    }
    await db.query('UPDATE credentials SET sealed = $2 WHERE id = $1', [id, sealed]);

    const { rows } = await db.query<{ id: string; wrapped: Buffer }>(`SELECT id, wrapped FROM data_keys WHERE purpose LIKE 'tenant:%'`);
    const { id: keyId, wrapped } = rows[0]!;
    for (let at = 0; at < wrapped.length; at++) {
      await db.query('UPDATE data_keys SET wrapped = set_byte($2, $3, get_byte($2, $3) # 1) WHERE id = $1', [keyId, wrapped, at]);
      expect(await look(await start(only(V1)))).toEqual({ secrets: [], closed: [id] });
    }
    await db.query('UPDATE data_keys SET wrapped = $2 WHERE id = $1', [keyId, wrapped]);
    expect((await look(await start(only(V1)))).secrets).toEqual(['sk-secret-of-the-provider']);
  });

  test('does not open when it is cut, however short, its tag included', async () => {
    const keyring = await start(only(V1));
    await repositoryOf(keyring).put(await addProvider(await addTenant()), [new Secret('sk-secret')]);
    const [{ id, sealed }] = (await db.query<{ id: string; sealed: Buffer }>('SELECT id, sealed FROM credentials')).rows as [never];
    const header = 1 + 16 + 12;
    const cuts = Array.from({ length: (sealed as Buffer).length }, (_, length) => (sealed as Buffer).subarray(0, length));
    const shortTag = Buffer.concat([(sealed as Buffer).subarray(0, header + 4), (sealed as Buffer).subarray(header + 16)]);
    for (const cut of [...cuts, shortTag]) {
      await db.query('UPDATE credentials SET sealed = $2 WHERE id = $1', [id, cut]);
      expect(await look(keyring)).toEqual({ secrets: [], closed: [id] });
    }
  });

  test('does not open instead of another: tenant, provider, credential or origin', async () => {
    const keyring = await start(only(V1));
    const [alice, bob] = [await addTenant(), await addTenant()];
    const places = [await addProvider(alice), await addProvider(alice), await addProvider(bob), await addProvider(null)];
    for (const place of places) await repositoryOf(keyring).put(place, [new Secret('sk-1'), new Secret('sk-2')]);
    const { rows } = await db.query<{ id: string; sealed: Buffer }>('SELECT id, sealed FROM credentials');
    expect((await look(keyring)).secrets).toHaveLength(8);
    for (let shift = 1; shift < rows.length; shift++) {
      for (const [index, { id }] of rows.entries())
        await db.query('UPDATE credentials SET sealed = $2 WHERE id = $1', [id, rows[(index + shift) % rows.length]!.sealed]);
      expect((await look(keyring)).secrets).toEqual([]);
    }
    for (const { id, sealed } of rows) await db.query('UPDATE credentials SET sealed = $2 WHERE id = $1', [id, sealed]);
    expect((await look(keyring)).secrets).toHaveLength(8);

    const moves: [string, unknown][] = [
      ['origin', 'https://evil.example'],
      ['tenant_id', bob],
      ['tenant_id', null],
      ['provider_id', places[1]!.id],
      ['id', randomUUID()],
    ];
    for (const [column, value] of moves) {
      const { rows: own } = await db.query('SELECT * FROM credentials WHERE provider_id = $1 ORDER BY id LIMIT 1', [places[0]!.id]);
      const there = column === 'id' ? value : own[0].id;
      await db.query(`UPDATE credentials SET ${column} = $2 WHERE id = $1`, [own[0].id, value]);
      expect((await look(keyring)).closed).toEqual([there]);
      await db.query(`UPDATE credentials SET ${column} = $2 WHERE id = $1`, [there, own[0][column]]);
    }
    expect((await look(keyring)).closed).toEqual([]);
  });

  test('does not open by the data key of another owner, put instead of its own', async () => {
    const keyring = await start(only(V1));
    const [alice, bob] = [await addTenant(), await addTenant()];
    for (const tenant of [alice, bob]) await repositoryOf(keyring).put(await addProvider(tenant), [new Secret('sk-1')]);
    await db.query(
      `UPDATE data_keys a SET wrapped = b.wrapped FROM data_keys b
       WHERE a.purpose LIKE 'tenant:%' AND b.purpose LIKE 'tenant:%' AND a.id <> b.id`,
    );
    expect(await look(await start(only(V1)))).toMatchObject({ secrets: [], closed: [expect.any(String), expect.any(String)] });
  });
});

test('the same secret is never sealed to the same bytes, nor with the same IV', async () => {
  const keyring = await start(only(V1));
  const ivs = new Set<string>();
  for (let i = 0; i < 2_000; i++) ivs.add((await keyring.seal(null, new Secret('sk'), 'c')).subarray(17, 29).toString('hex'));
  expect(ivs.size).toBe(2_000);
});

test('a session of one tenant sees no data key, not even its own', async () => {
  const keyring = await start(only(V1));
  const tenant = await addTenant();
  await repositoryOf(keyring).put(await addProvider(tenant), [new Secret('sk-1')]);
  const tenantPool = createTenantPool(database.url, { max: 1, statementTimeoutMs: 10_000, name: 'tenantPool' });
  await inTenantScope({ tenantId: tenant, actsAs: 'tenant', statementTimeoutMs: 10_000 }, async () => {
    expect((await tenantPool.query('SELECT 1 FROM data_keys')).rowCount).toBe(0);
    expect((await tenantPool.query('SELECT 1 FROM credentials')).rowCount).toBe(1);
  });
  await tenantPool.end();
});
