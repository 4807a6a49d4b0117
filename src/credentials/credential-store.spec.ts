import { Secret } from '../platform/crypto/index.js';
import type { ConfigChanges } from '../platform/postgres/index.js';
import type { Credential, Opened } from './credential.js';
import { CredentialStore } from './credential-store.js';

const key = (id: string): Credential => ({
  id,
  providerId: 'p',
  tenantId: 't',
  origin: 'https://old.example',
  secret: new Secret(`sk-${id}`),
});

type Reload = (tenantIds: null) => Promise<void>;
type Ears = Parameters<ConfigChanges['hear']>[1];

/** A store that has loaded these keys, and what it noted of their health. */
async function loaded(keys = [key('c')], broken: Opened[] = []) {
  const reloads: Reload[] = [];
  const noted: string[] = [];
  const told = {} as Ears;
  const stored: { id: string; seconds: number; model: string | null }[] = [];
  const repository = {
    open: async function* () {
      yield ['t', [...keys, ...broken]];
    },
    noteRest: async (...note: unknown[]) => void noted.push(note.join(' ')),
    noteRestOf: async (...note: unknown[]) => void noted.push(note.join(' ')),
    resting: async () => stored,
  };
  const store = new CredentialStore(
    repository as never,
    { error: () => {} } as never,
    { subscribe: (reload: Reload) => reloads.push(reload), hear: (_: string, ears: Ears) => Object.assign(told, ears) } as never,
  );
  for (const reload of reloads) await reload(null);
  return { store, noted, told, stored };
}

test('a key is found for the origin it was entered for', async () => {
  const { store } = await loaded();
  expect(store.find('p', 'https://old.example', 'm', null)).toMatchObject({ id: 'c' });
  expect(store.find('another', 'https://old.example', 'm', null)).toBeNull();
});

test('a key is not shown to another origin, though the provider has moved there already and the key was not dropped here yet', async () =>
  expect(() => loaded().then(({ store }) => store.find('p', 'https://new.example', 'm', null))).rejects.toMatchObject({
    code: 'credential_unavailable',
  }));

test('a key that was not wanted rests as long as the provider says, or by what was wrong, and what is left is told', async () => {
  const [a, b, c] = [key('a'), key('b'), key('c')];
  const { store, noted } = await loaded([a, b, c]);
  expect(store.coolDown(a, 'rate_limited', 7, null)).toEqual({ credentials: 3, readyInSeconds: 0 });
  expect(store.coolDown(b, 'rate_limited', null, null)).toEqual({ credentials: 3, readyInSeconds: 0 });
  expect(store.find('p', 'https://old.example', 'm', null)).toMatchObject({ id: 'c' });
  expect(store.coolDown(c, 'refused', null, null)).toEqual({ credentials: 3, readyInSeconds: 7 });
  expect(store.find('p', 'https://old.example', 'm', null)).toMatchObject({ id: 'a' });
  expect(store.coolDown(a, 'rate_limited', 7, null)).toEqual({ credentials: 3, readyInSeconds: 7 });
  expect(noted).toEqual(['a rate_limited 7', 'b rate_limited 30', 'c refused 600']);
});

test('a key that rests for another process rests here, told or recalled, and a rest is noted once', async () => {
  const { store, noted, told, stored } = await loaded([key('a'), key('b')]);
  const used = () => new Set([0, 1].map(() => store.find('p', 'https://old.example', 'm', null)!.id));
  told.hear('a 7');
  expect(used()).toEqual(new Set(['b']));
  expect(store.coolDown(key('b'), 'rate_limited', 3, null)).toEqual({ credentials: 2, readyInSeconds: 3 });
  told.hear('b 3');
  store.coolDown(key('b'), 'rate_limited', 3, null);
  expect(noted).toEqual(['b rate_limited 3']);
  stored.push({ id: 'b', seconds: 60, model: null }, { id: 'a', seconds: 7, model: null });
  await told.recall();
  expect(used()).toEqual(new Set(['a']));
});

test('a provider is closed by a key that cannot be opened only where it has no other', async () => {
  const broken = { ...key('x'), secret: null };
  expect((await loaded([key('c')], [broken])).store.isUnreadable('p')).toBe(false);
  expect((await loaded([], [broken])).store.isUnreadable('p')).toBe(true);
});

test('a key that is limited for one model serves the others, here and where it is told or recalled', async () => {
  const { store, noted, told, stored } = await loaded([key('a'), key('b')]);
  const used = (model: string) => new Set([0, 1].map(() => store.find('p', 'https://old.example', model, null)!.id));
  store.coolDown(key('a'), 'rate_limited', 7, 'large');
  expect(noted).toEqual(['a large 7']);
  expect([used('large'), used('small')]).toEqual([new Set(['b']), new Set(['a', 'b'])]);
  told.hear('b 7 small and quick');
  expect([used('small and quick'), used('small')]).toEqual([new Set(['a']), new Set(['a', 'b'])]);
  stored.push({ id: 'b', seconds: 60, model: 'small' });
  await told.recall();
  expect(used('small')).toEqual(new Set(['a']));
});
