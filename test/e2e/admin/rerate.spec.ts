import { brokenInvariants } from '../../support/ledger.js';
import { answer } from '../../support/upstream.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir({ tenant: 'each', hasProvider: true });

beforeEach(async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'month' });
  upstream.script = answer('hi', { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 });
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const call = () =>
  tenant.openai.chat.completions.create({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 200 });
const rerate = (fields: object = {}) => tenant.admin('POST', '/v1/organization/prices/rerate', { start_time: 0, ...fields });
const spent = async () =>
  (await tenant.admin<{ data: { current_period: { spent: string } }[] }>('GET', '/v1/organization/budgets')).data[0]!.current_period.spent;
const costs = async (basis: string) =>
  (
    await tenant.admin<{ data: { results: { amount: { value: number } }[] }[] }>(
      'GET',
      `/v1/organization/costs?start_time=${Math.floor(Date.now() / 1000) - 3_600}&basis=${basis}`,
    )
  ).data.flatMap((bucket) => bucket.results.map((result) => result.amount.value));
/** Half the price, from yesterday on: a correction of a price that was wrong. */
const halve = () =>
  tenant.admin('POST', '/v1/organization/prices', {
    provider: 'up',
    model: 'test-model',
    input: '0.5',
    output: '1',
    effective_at: new Date(Date.now() - 86_400_000).toISOString(),
    notes: 'the vendor lowered it',
  });

test('a dry run says what would change and changes nothing; the real run books the difference, once', async () => {
  await call();
  await call();
  expect(await spent()).toBe('0.0024');
  await halve();
  const expected = { object: 'rerate', calls: 2, changed: 2, unpriced: 0, charged: '0.0024', corrected: '0.0012', difference: '-0.0012' };
  expect(await rerate()).toMatchObject({ ...expected, dry_run: true, changes: [{ charged: '0.0012', corrected: '0.0006' }, {}] });
  expect(await spent()).toBe('0.0024');
  expect(await rerate({ dry_run: false, reason: 'price list of May' })).toMatchObject({ ...expected, dry_run: false });
  expect(await spent()).toBe('0.0012');
  expect(await rerate({ dry_run: false })).toMatchObject({ calls: 2, changed: 0, difference: '0.00' });
  const { rows } = await weir.db.query(
    `SELECT kind, attempt, amount, actor IS NOT NULL AS signed, reason FROM ledger_entries WHERE kind = 'adjustment'`,
  );
  expect(rows).toEqual(Array(2).fill({ kind: 'adjustment', attempt: 1, amount: -600_000n, signed: true, reason: 'price list of May' }));
  expect(await costs('charged')).toEqual([0.0024]);
  expect(await costs('corrected')).toEqual([0.0012]);
});

test('a call may be corrected again, and runs at the same time correct it once', async () => {
  await call();
  await halve();
  await Promise.all([rerate({ dry_run: false }), rerate({ dry_run: false }), rerate({ dry_run: false })]);
  expect(await spent()).toBe('0.0006');
  await tenant.admin('POST', '/v1/organization/prices', {
    provider: 'up',
    model: 'test-model',
    input: '2',
    output: '2',
    effective_at: new Date(Date.now() - 3_600_000).toISOString(),
  });
  expect(await rerate({ dry_run: false })).toMatchObject({ changed: 1, difference: '0.0016' });
  expect(await spent()).toBe('0.0022');
});

test('only calls of the time, provider and model asked for are priced again', async () => {
  await call();
  await halve();
  expect(await rerate({ provider: 'other' })).toMatchObject({ calls: 0 });
  expect(await rerate({ model: 'other' })).toMatchObject({ calls: 0 });
  expect(await rerate({ end_time: '2020-01-01T00:00:00Z' })).toMatchObject({ calls: 0 });
  expect(await rerate({ provider: 'up', model: 'test-model' })).toMatchObject({ calls: 1, changed: 1 });
});

test('a price has tiers: a longer input costs the whole request more', async () => {
  await tenant.admin('POST', '/v1/organization/prices', {
    provider: 'up',
    model: 'test-model',
    input: '1',
    output: '2',
    tiers: [{ above_input_tokens: 999, input: '10', output: '20' }],
    effective_at: new Date(Date.now() - 1_000).toISOString(),
  });
  await expect(
    tenant.admin('POST', '/v1/organization/prices', {
      provider: 'up',
      model: 'm',
      input: '1',
      output: '2',
      tiers: [
        { above_input_tokens: 5, input: '1', output: '1' },
        { above_input_tokens: 5, input: '1', output: '1' },
      ],
    }),
  ).rejects.toThrow('must be in the order of above_input_tokens');
  await call();
  expect(await rerate({ dry_run: false })).toMatchObject({ calls: 1 });
  expect(await spent()).toBe('0.012');
});
