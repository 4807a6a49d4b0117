import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CREDENTIAL_TYPES } from '../auth/credential.js';
import type { ProviderRecord } from '../provider.js';
import { CATALOG, findProviderType, providerType } from './catalog.js';
import { whenClientLeaves } from './client-gone.js';

test('every name stands for one type', () => {
  const names = CATALOG.flatMap(({ slug, aliases }) => [slug, ...Object.keys(aliases)]);
  expect(new Set(names).size).toBe(names.length);
});

test('addresses are whole: https, or this machine, without a slash at the end', () => {
  const urls = CATALOG.flatMap(({ baseUrl, aliases }) => [baseUrl, ...Object.values(aliases)]).filter((url) => url !== null);
  for (const url of urls)
    expect(url).toMatch(/^(https:\/\/[^/]+\.[^/]+|http:\/\/(localhost|127\.0\.0\.1):\d+|mock:\/\/local)(\/[^/{}?]+)*$/);
});

test('an alias stands for its type, a regional one for another address', () => {
  expect(findProviderType('grok')).toMatchObject({ type: { slug: 'xai' }, baseUrl: 'https://api.x.ai/v1' });
  expect(findProviderType('glm-cn')).toMatchObject({ type: { slug: 'glm' }, baseUrl: 'https://open.bigmodel.cn/api/paas/v4' });
  expect(findProviderType('nobody')).toBeNull();
});

test('docs/providers.md has every type, its names and its address', () => {
  const page = readFileSync(join(__dirname, '../../../docs/providers.md'), 'utf8');
  const rows = page
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows).toEqual(
    CATALOG.map(({ slug, title, baseUrl, dialects, aliases }) => {
      const names = Object.entries(aliases).map(([alias, url]) => (url === baseUrl ? `\`${alias}\`` : `\`${alias}\` (${url})`));
      return `| \`${slug}\` | ${title} | ${baseUrl ?? 'its own'} | ${dialects.join(', ')} | ${names.join(', ')} |`;
    }),
  );
});

test('docs/providers.md names every form that a credential may have', () => {
  const page = readFileSync(join(__dirname, '../../../docs/providers.md'), 'utf8');
  const rows = page.split('\n').flatMap((line) => /^\| [A-Z][^|]*\| `(\w+)` \|/.exec(line)?.[1] ?? []);
  expect(rows.sort()).toEqual([...CREDENTIAL_TYPES].sort());
});

test('docs/providers.md names every variable that makes a credential of several, or tells of an identity', () => {
  const page = readFileSync(join(__dirname, '../../../docs/providers.md'), 'utf8');
  const names = CATALOG.flatMap(({ environment }) => environment?.names ?? []);
  expect(names.filter((name) => !page.includes(`\`${name}`))).toEqual([]);
});

test('what is broken off when a client leaves has a source and a date; where nothing is known, it is drained', () => {
  for (const { slug, clientGone } of CATALOG) {
    const { stream, whole, source, asOf } = clientGone;
    expect([slug, asOf]).toEqual([slug, expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/)]);
    if (source === null) expect([slug, stream, whole]).toEqual([slug, 'drain', 'drain']);
  }
});

test('a vendor’s word holds at its own address only, and a record’s own goes over it', () => {
  const type = providerType('openai')!;
  const record = (changes: object) => ({ baseUrl: type.baseUrl, onClientGone: null, ...changes }) as ProviderRecord;
  expect(whenClientLeaves(record({}), type)).toMatchObject({ stream: 'cancel', whole: 'drain' });
  expect(whenClientLeaves(record({ baseUrl: 'https://proxy.example.com/v1' }), type)).toMatchObject({ stream: 'drain', whole: 'drain' });
  expect(whenClientLeaves(record({ onClientGone: 'drain' }), type)).toEqual({ stream: 'drain', whole: 'drain' });
});
