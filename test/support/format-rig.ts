import { brokenInvariants } from './ledger.js';
import { REPLY_FORMATS } from './tool-replies.js';
import { ScriptedUpstream } from './upstream.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from './weir.js';

/** Weir, a tenant, and a scripted upstream that is a provider of each format, under the format's name. */
export class FormatRig {
  weir!: TestWeir;
  tenant!: TestTenant;
  upstream!: ScriptedUpstream;

  async start(): Promise<void> {
    this.upstream = await ScriptedUpstream.start();
    this.weir = await startTestWeir({ WEIR_EGRESS_ALLOW: this.upstream.hostPort });
    this.tenant = await createTenant(this.weir);
    const base_url = `http://${this.upstream.hostPort}`;
    for (const [name, { type, dialect }] of Object.entries(REPLY_FORMATS)) {
      await this.tenant.admin('POST', '/v1/organization/providers', { name, type, dialect, base_url, key: 'secret', models: ['*'] });
      await this.tenant.admin('POST', '/v1/organization/prices', {
        provider: name,
        model: '*',
        input: '1',
        output: '2',
        cache_read: '0.1',
      });
    }
    const isKnown = () =>
      this.tenant.openai.models.retrieve(`${Object.keys(REPLY_FORMATS).at(-1)}/m`).then(
        () => true,
        () => false,
      );
    await eventually(isKnown);
  }

  /** The ledger must hold after whatever was tried. */
  async stop(): Promise<void> {
    expect(await brokenInvariants(this.weir.db)).toEqual([]);
    await this.weir.stop();
    await this.upstream.stop();
  }
}

/** One for all tests of a spec. */
export function formatRig(): FormatRig {
  const rig = new FormatRig();
  beforeAll(() => rig.start());
  afterAll(() => rig.stop());
  return rig;
}
