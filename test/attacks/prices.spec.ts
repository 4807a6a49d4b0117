import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CATALOG_SOURCE } from '../../src/prices/catalog.js';
import { admin, eventually } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

interface Shown {
  model: string;
  input: string;
  output: string;
  cache_write_1h: string;
  effective_at: number;
  notes: string | null;
}
interface Uploaded {
  digest: string;
  added: number;
  unchanged: number;
  flagged: number;
  changes: { provider: string; model: string; before: { input: string } | null; after: { input: string }; flag: string | null }[];
}

const { weir, tenant } = withWeir();
const operator = <T>(method: string, path: string, body?: unknown) => admin<T>(weir, weir.operatorKey, method, path, body);
const upload = (body: object) => operator<Uploaded>('POST', '/v1/platform/prices/catalogue', body);
const shown = async (provider: string, model: string) =>
  (await operator<{ data: Shown[] }>('GET', `/v1/platform/prices?provider=${provider}&model=${encodeURIComponent(model)}&limit=100`)).data;
const usd = (text: string) => Number(text);

test('no later row hides the peak of a price that moves with the hour', async () => {
  for (const [model, input, output] of [
    ['deepseek-v4-pro', 1.32, 3.96],
    ['deepseek-v4-flash', 0.3, 1.2],
    ['deepseek-flash', 0.3, 1.2],
  ] as const) {
    const now = Date.now() / 1000;
    const [latest] = (await shown('deepseek', model))
      .filter(({ effective_at }) => effective_at <= now)
      .sort((a, b) => b.effective_at - a.effective_at);
    expect([usd(latest!.input), usd(latest!.output)]).toEqual([input, output]);
  }
});

test('models that others serve have a price there, and where it is from', async () => {
  for (const [provider, model, input] of [
    ['azure-openai', 'gpt-4o', 2.5],
    ['azure-openai', 'gpt-5.6-sol', 5],
    ['google-vertex-ai', 'claude-sonnet-5-5', 2],
    ['openrouter', 'anthropic/claude-sonnet-5-5', 2],
    ['openai', 'gpt-6.1-sol', 2],
    ['anthropic', 'claude-haiku-5-5', 0.1],
  ] as const) {
    const rows = await shown(provider, model);
    expect([provider, model, rows.some((row) => usd(row.input) === input && row.notes !== null)]).toEqual([provider, model, true]);
  }
});

const FILE = {
  source: 'a vendor’s page, 2026-11-28',
  prices: [
    { provider: 'openai', model: 'gpt-9', input: '2', output: '10', cache_read: '0.2' },
    { provider: 'openai', model: 'gpt-5', input: '0.0125', output: '10' },
    { provider: 'mock', model: 'echo', input: '1', output: '2' },
  ],
};

test('a newer catalog is taken by diff and by the confirmation of exactly that diff, once', async () => {
  const count = async () => Number((await weir.db.query('SELECT count(*) FROM prices')).rows[0].count);
  const before = await count();
  const plan = await upload(FILE);
  expect(plan).toMatchObject({ added: 2, unchanged: 1, flagged: 1 });
  expect(plan.changes.find(({ model }) => model === 'gpt-5')!.flag).toContain('factor');
  expect(await count()).toBe(before);
  // Without the digest, and with that of another diff, nothing is added.
  for (const confirm of [undefined, 'x', plan.digest.replace(/./, 'z')])
    await expect(upload({ ...FILE, dry_run: false, ...(confirm !== undefined && { confirm }) })).rejects.toThrow(/409/);
  const other = { ...FILE, prices: FILE.prices.map((price) => ({ ...price, output: '11' })) };
  await expect(upload({ ...other, dry_run: false, confirm: plan.digest })).rejects.toThrow(/409/);
  expect(await count()).toBe(before);

  expect(await upload({ ...FILE, dry_run: false, confirm: plan.digest })).toMatchObject({ added: 2 });
  expect(await count()).toBe(before + 2);
  // Sent again it finds nothing to do.
  expect(await upload({ ...FILE, dry_run: false, confirm: plan.digest })).toMatchObject({ added: 0, unchanged: 3 });
  expect(await count()).toBe(before + 2);
  expect(await shown('openai', 'gpt-9')).toMatchObject([{ notes: FILE.source }]);
});

test.each([
  ['an unknown provider', [{ provider: 'nobody', model: 'm', input: '1', output: '1' }]],
  ['a negative rate', [{ provider: 'openai', model: 'm', input: '-1', output: '1' }]],
  ['an absurd rate', [{ provider: 'openai', model: 'm', input: '1e9', output: '1' }]],
  ['the same price twice', [FILE.prices[0], FILE.prices[0]]],
  ['no prices', []],
  ['another shape', { openai: 1 }],
])('an upload with %s is refused with 400', async (_, prices) => {
  await expect(upload({ source: 'x', prices })).rejects.toThrow(/answered 400/);
});

test('only an operator uploads', async () => {
  await expect(tenant.admin('POST', '/v1/platform/prices/catalogue', FILE)).rejects.toThrow(/answered 403/);
  await eventually(async () => (await shown('openai', 'gpt-9')).length === 1);
});

describe('whoever updates the catalog', () => {
  const installed = 'node_modules/@pydantic/genai-prices';
  const compare = (old: string) => {
    const { status, stdout } = spawnSync(process.execPath, ['scripts/compare-catalog.mjs', old], { encoding: 'utf8' });
    return { status, lines: stdout.split('\n') };
  };

  test('is told of each price and each rule for names that changed', () => {
    expect(compare(installed)).toMatchObject({ status: 0, lines: [expect.stringMatching(/^0 changes/), ''] });
    const old = mkdtempSync(join(tmpdir(), 'weir-catalog-'));
    // The installed one as it might have been before: a price lower, a rule wider, a model missing, and one more.
    writeFileSync(
      join(old, 'index.js'),
      `const { findProvider } = require(${JSON.stringify(join(process.cwd(), installed))});
      exports.findProvider = ({ providerId }) => {
        const provider = findProvider({ providerId });
        if (providerId !== 'openai') return provider;
        const models = provider.models.filter(({ id }) => id !== 'gpt-5-mini').map((model) =>
          model.id === 'gpt-5' ? { ...model, prices: { ...model.prices, input_mtok: 1 } }
          : model.id === 'gpt-4o' ? { ...model, match: { starts_with: 'gpt-4o' } } : model);
        return { ...provider, models: [...models, { id: 'gpt-gone', match: { equals: 'gpt-gone' }, prices: {} }] };
      };`,
    );
    const { status, lines } = compare(old);
    rmSync(old, { recursive: true });
    expect(status).toBe(1);
    for (const start of [
      'price    openai gpt-5',
      'names    openai gpt-4o',
      'added    openai gpt-5-mini',
      'removed  openai gpt-gone',
      '4 changes',
    ])
      expect(lines.some((line) => line.startsWith(start))).toBe(true);
  });

  test('stores its prices under the name of the version that is installed', () => {
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string };
    expect(CATALOG_SOURCE).toContain(`genai-prices ${version},`);
  });
});
