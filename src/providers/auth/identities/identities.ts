import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { WeirError } from '../../../kernel/errors.js';
import { CONFIG, type Config } from '../../../platform/config/index.js';
import { Egress, NamedDestinations } from '../../../platform/egress/index.js';
import type { Auth } from '../auth.js';
import { awsIdentity } from './aws.js';
import { azureIdentity } from './azure.js';
import { googleIdentity } from './google.js';
import type { Identity, IdentityCredential } from './identity.js';

/** An endpoint inside of the cloud is near, or not there. */
const TIMEOUTS = { connectMs: 2_000, firstByteMs: 10_000, progressMs: 10_000, totalMs: 10_000 };

/**
 * Who this process's workload is to its clouds. Holds the only way to their metadata services: it leads to what the environment names, or to the
 * vendor's own address where the environment says which cloud this is, and it is used for credentials of the platform only.
 */
@Injectable()
export class Identities implements OnModuleDestroy {
  private readonly known: readonly Identity[];
  private readonly inside: Egress;

  /** @throws ConfigError */
  constructor(
    @Inject(CONFIG) { environment }: Pick<Config, 'environment'>,
    private readonly outside: Egress,
  ) {
    const { variable } = environment();
    this.known = [awsIdentity, azureIdentity, googleIdentity].map((find) => find(variable)).filter((found) => found !== null);
    const named = this.known.flatMap(({ endpoint }) => (endpoint === null ? [] : new URL(endpoint).origin));
    this.inside = new Egress(new NamedDestinations(named), TIMEOUTS, null);
  }

  /**
   * @param tenantId whose credential it is; null: the platform's.
   * @throws WeirError credential_unavailable
   */
  open({ kind }: IdentityCredential, tenantId: string | null): Auth {
    if (tenantId !== null) throw new WeirError('credential_unavailable', { message: NOT_THERE, cause: 'a tenant has no identity' });
    const identity = this.known.find((one) => one.kind === kind);
    if (!identity) throw new WeirError('credential_unavailable', { message: NOT_THERE, cause: `the environment names no ${kind}` });
    return identity.open({ inside: this.inside, outside: this.outside });
  }

  onModuleDestroy(): Promise<void> {
    return this.inside.close();
  }
}

const NOT_THERE = 'The identity that the provider is called by is not there, so nothing is sent. The operator can see why in the log.';
