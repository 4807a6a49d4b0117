import { Inject, Injectable } from '@nestjs/common';
import { InferenceRoutesRepository, type LocalModel } from '../inference-local/index.js';
import { WeirError } from '../kernel/errors.js';
import type { JobResult, ScheduledJob } from '../platform/queue/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import { ProviderAccountsService } from '../provider-accounts/index.js';
import { References } from '../routing/index.js';

/** Looks whether the local model of the platform's default route answers, and moves calls to it or away from it. */
@Injectable()
export class ProbeLocalModel implements ScheduledJob {
  readonly queue = 'probe-local-model';
  readonly everyMs = 5_000;

  constructor(
    private readonly routes: InferenceRoutesRepository,
    private readonly references: References,
    private readonly accounts: ProviderAccountsService,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  async run(): Promise<JobResult> {
    const due = await this.routes.takeDue();
    if (!due?.local) return { againInMs: null };
    const { provider, model, probeSeconds } = due.local;
    const found = await this.look(due.local);
    if (await this.routes.noteHealth(due.version, found === 'ok'))
      this.log.warn({ provider, model, found }, found === 'ok' ? 'inference.local goes to the local model' : 'the local model is left');
    return { againInMs: probeSeconds * 1_000 };
  }

  private async look({ provider, model }: LocalModel): Promise<string> {
    try {
      const probed = await this.accounts.probeModel(await this.references.exposing(null, provider, model), model);
      return probed === null || probed.ok ? 'ok' : probed.class;
    } catch (error) {
      if (error instanceof WeirError) return error.code;
      throw error;
    }
  }
}
