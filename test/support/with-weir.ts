import { brokenInvariants } from './ledger.js';
import { ScriptedUpstream } from './upstream.js';
import { addUpstream, createTenant, type Environment, startTestWeir, type TestTenant, type TestWeir } from './weir.js';

interface Options {
  /** Variables of Weir. It may call the upstream, unless `WEIR_EGRESS_ALLOW` says otherwise. */
  environment?: Environment | ((upstream: ScriptedUpstream) => Environment | Promise<Environment>);
  /** `each`: every test has a new tenant, and an upstream that has not been called and answers. `none`: the spec makes its own. */
  tenant?: 'once' | 'each' | 'none';
  /** The upstream is a provider of the tenant, as `up`: see `addUpstream`. */
  hasProvider?: boolean;
}

interface Running {
  readonly weir: TestWeir;
  readonly tenant: TestTenant;
  readonly upstream: ScriptedUpstream;
}

/**
 * Weir, a scripted upstream, and a tenant with a key, for all tests of a spec. They are filled in before its first test, and closed after its
 * last, when the ledger must be whole.
 */
export function withWeir({ environment = {}, tenant: per = 'once', hasProvider = false }: Options = {}): Running {
  const upstream = new ScriptedUpstream();
  const weir = {} as TestWeir;
  const tenant = {} as TestTenant;
  const addTenant = async () => {
    Object.assign(tenant, await createTenant(weir));
    if (hasProvider) await addUpstream(tenant, upstream.baseUrl);
  };

  beforeAll(async () => {
    await upstream.listen();
    const given = typeof environment === 'function' ? await environment(upstream) : environment;
    Object.assign(weir, await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort, ...given }));
    if (per === 'once') await addTenant();
  });
  if (per === 'each')
    beforeEach(async () => {
      await addTenant();
      upstream.reset();
    });
  afterAll(async () => {
    await upstream.stop();
    if (!weir.db) return; // it has not started
    const broken = await brokenInvariants(weir.db);
    await weir.stop();
    expect(broken).toEqual([]);
  });
  return { weir, tenant, upstream };
}
