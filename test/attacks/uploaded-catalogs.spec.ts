import { admin, createTenant, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

interface Uploaded {
  digest: string;
  added: number;
  unchanged: number;
  flagged: number;
  changes: { model: string; flag: string | null }[];
}

const CATALOG = '/v1/platform/prices/catalogue';
const ROW = { provider: 'openai', model: 'gpt-uploaded', input: '2', output: '10' };

const { weir, upstream } = withWeir({ tenant: 'none' });

const upload = (body: object) => admin<Uploaded>(weir, weir.operatorKey, 'POST', CATALOG, body);
const count = async () => Number((await weir.db.query('SELECT count(*) FROM prices')).rows[0].count);
const send = async (body: string) => {
  const headers = { authorization: `Bearer ${weir.operatorKey}`, 'content-type': 'application/json' };
  const response = await fetch(weir.adminUrl + CATALOG, { method: 'POST', headers, body });
  return { status: response.status, text: await response.text() };
};
const file = (rows: object[], more: object = {}) => JSON.stringify({ source: 'a test', prices: rows, ...more });
const priced = (input: string) => `{"source":"x","prices":[{"provider":"openai","model":"m","input":${input},"output":"1"}]}`;

test.each<[string, string]>([
  ['no JSON', 'provider,model,input,output\nopenai,m,1,2\n'],
  ['half a file', file([ROW]).slice(0, 60)],
  ['a list', '[]'],
  ['null', 'null'],
  ['NaN', priced('NaN')],
  ['infinity', priced('1e999')],
  ['a rate of text', priced('"NaN"')],
  ['a rate in hexadecimal', priced('"0x10"')],
  ['a rate in full-width digits', priced('"１"')],
  ['a rate with a currency', priced('"€2"')],
  ['a rate with a comma', priced('"2,50"')],
  ['a negative number', priced('-1')],
  ['a rate of nothing', priced('null')],
  ['a rate of ten decimals', priced('"0.0000000001"')],
  ['another currency', file([ROW], { currency: 'eur' })],
  ['another currency in a row', file([{ ...ROW, currency: 'eur' }])],
  ['a unit', file([{ ...ROW, unit: 'thousand_tokens' }])],
  [
    'a tier of its own order',
    file([{ ...ROW, tiers: [2, 1].map((above_input_tokens) => ({ above_input_tokens, input: '1', output: '1' })) }]),
  ],
  ['one price twice', file([ROW, { ...ROW, input: '3' }])],
  [
    'one moment in two notations',
    file([
      { ...ROW, effective_at: 1_800_000_000 },
      { ...ROW, effective_at: '2027-01-15T08:00:00Z', input: '3' },
    ]),
  ],
  ['a provider that no type has', file([ROW, { ...ROW, provider: 'opneai' }])],
  ['a pattern', file([ROW, { ...ROW, model: 'gpt-*' }])],
  ['a name that cannot be seen', file([ROW, { ...ROW, model: 'gpt\u200b-5' }])],
  ['half a character', `{"source":"x","prices":[{"provider":"openai","model":"\\ud800","input":"1","output":"1"}]}`],
  ['more rows than it takes', file(Array.from({ length: 2_001 }, (_, i) => ({ ...ROW, model: `m${i}` })))],
  ['no source', JSON.stringify({ prices: [ROW] })],
])('%s is refused with 400, and nothing of it is kept', async (_, body) => {
  const before = await count();
  const { status, text } = await send(body);
  expect([status, text]).toEqual([400, expect.stringContaining('invalid_request')]);
  expect(await count()).toBe(before);
});

test('a file beyond all size is refused before it is read', async () => {
  const { status } = await send(`{"source":"${'x'.repeat(40 << 20)}"`).catch(() => ({ status: 413 }));
  expect(status).toBe(413);
});

test('two thousand prices are applied, all or none', async () => {
  const prices = Array.from({ length: 2_000 }, (_, i) => ({ ...ROW, model: `bulk-${i}`, input: `${i + 1}`, output: `${i + 2}` }));
  const body = { source: 'bulk', prices };
  const before = await count();
  const { digest, added } = await upload(body);
  expect(added).toBe(2_000);
  await weir.db.query(`CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.model = 'bulk-1999' THEN RAISE EXCEPTION 'the disk is full'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER refuse_one BEFORE INSERT ON prices FOR EACH ROW EXECUTE FUNCTION refuse_one();`);
  await expect(upload({ ...body, dry_run: false, confirm: digest })).rejects.toThrow(/answered 5/);
  expect(await count()).toBe(before);
  await weir.db.query('DROP TRIGGER refuse_one ON prices');
  expect(await upload({ ...body, dry_run: false, confirm: digest })).toMatchObject({ added: 2_000 });
  expect(await count()).toBe(before + 2_000);
});

test('what several operators confirm at once is added once', async () => {
  const many = 20;
  const body = { source: 'twice', prices: Array.from({ length: many }, (_, i) => ({ ...ROW, model: `twice-${i}` })) };
  const { digest } = await upload(body);
  const before = await count();
  const confirmed = { ...body, dry_run: false, confirm: digest };
  const applied = await Promise.allSettled(Array.from({ length: 8 }, () => upload(confirmed)));
  const added = applied.map((one) => (one.status === 'fulfilled' ? one.value.added : String(one.reason)));
  expect(added.filter((one) => one === many)).toEqual([many]);
  for (const one of added.filter((other) => other !== many && other !== 0)) expect(one).toContain('answered 409');
  expect(await count()).toBe(before + many);
  expect(await upload(confirmed)).toMatchObject({ added: 0 });
});

test('what another process applies is waited for', async () => {
  const body = { source: 'beside', prices: [{ ...ROW, model: 'gpt-beside' }] };
  const { digest } = await upload(body);
  const other = await weir.db.connect();
  await other.query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('weir price catalog'))");
  await expect(upload({ ...body, dry_run: false, confirm: digest })).rejects.toThrow(/answered 409.*Another catalog/);
  await other.query('COMMIT');
  other.release();
  expect(await upload({ ...body, dry_run: false, confirm: digest })).toMatchObject({ added: 1 });
});

test('a catalog that is older than what is in force is flagged', async () => {
  const now = await upload({ source: 'new', prices: [{ ...ROW, model: 'gpt-aged', input: '3' }] });
  await upload({ source: 'new', prices: [{ ...ROW, model: 'gpt-aged', input: '3' }], dry_run: false, confirm: now.digest });
  const flags = async (row: object, more: object = {}) =>
    (await upload({ source: 'old', prices: [{ ...ROW, model: 'gpt-aged', input: '2', ...row }], ...more })).changes.map(({ flag }) => flag);
  expect(await flags({ effective_at: '2026-01-01T00:00:00Z' })).toEqual([expect.stringContaining('A later price is in force')]);
  expect(await flags({}, { as_of: '2026-10-01T00:00:00Z' })).toEqual([expect.stringContaining('after this file was made')]);
  expect(await flags({}, { as_of: '2099-01-01T00:00:00Z' })).toEqual([null]);
});

describe('the price of a model that speaks', () => {
  let tenant: TestTenant;

  beforeAll(async () => {
    tenant = await createTenant(weir);
    const base_url = `http://${upstream.hostPort}/v1`;
    await tenant.admin('POST', '/v1/organization/providers', { name: 'openai', type: 'openai', base_url, models: ['*'], key: 'secret' });
    const sound = { audio_tokens: 1000 };
    const usage = {
      prompt_tokens: 1000,
      completion_tokens: 1000,
      total_tokens: 2000,
      prompt_tokens_details: sound,
      completion_tokens_details: sound,
    };
    upstream.script = (_call, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const choices = [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }];
      response.end(JSON.stringify({ id: 'c', model: 'gpt-audio', choices, usage }));
    };
  });

  const cost = async () => {
    const reply = await tenant.openai.chat.completions
      .create({
        model: 'openai/gpt-audio',
        messages: [{ role: 'user', content: 'Hello' }],
        max_tokens: 2_000,
        modalities: ['text', 'audio'],
      } as never)
      .withResponse();
    return Number(reply.response.headers.get('x-weir-cost'));
  };

  test('keeps the vendor’s rates of sound when people change those of text, in the next call', async () => {
    expect(await cost()).toBeCloseTo(0.096, 9);
    const prices = [{ ...ROW, model: 'gpt-audio', input: '2.6', output: '10' }];
    const { digest } = await upload({ source: 'sound', prices });
    await upload({ source: 'sound', prices, dry_run: false, confirm: digest });
    expect(await cost()).toBeCloseTo(0.096, 9);
    await admin(weir, weir.operatorKey, 'POST', '/v1/platform/prices', { provider: 'openai', model: '*', input: '9', output: '9' });
    expect(await cost()).toBeCloseTo(0.096, 9);
    await tenant.admin('POST', '/v1/organization/prices', { provider: 'openai', model: '*', input: '1', output: '1' });
    expect(await cost()).toBeCloseTo(0.096, 9);
    await tenant.admin('POST', '/v1/organization/prices', { provider: 'openai', model: 'gpt-audio', input: '0', output: '0' });
    expect(await cost()).toBe(0);
  });
});
