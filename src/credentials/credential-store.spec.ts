import { Secret } from '../platform/crypto/index.js';
import { CredentialStore } from './credential-store.js';

const KEY = { id: 'c', providerId: 'p', tenantId: 't', origin: 'https://old.example', secret: new Secret('sk-secret') };

type Reload = (tenantIds: null) => Promise<void>;

/** A store that has loaded this key. */
async function loaded(): Promise<CredentialStore> {
  const reloads: Reload[] = [];
  const repository = { open: async () => [KEY] };
  const store = new CredentialStore(repository as never, {} as never, { subscribe: (reload: Reload) => reloads.push(reload) } as never);
  for (const reload of reloads) await reload(null);
  return store;
}

test('a key is found for the origin it was entered for', async () => {
  expect((await loaded()).find('p', 'https://old.example')).toMatchObject({ id: 'c' });
  expect((await loaded()).find('another', 'https://old.example')).toBeNull();
});

test('a key is not shown to another origin, though the provider has moved there already and the key was not dropped here yet', async () =>
  expect(() => loaded().then((store) => store.find('p', 'https://new.example'))).rejects.toMatchObject({ code: 'credential_unavailable' }));
