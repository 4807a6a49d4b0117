import { Injectable } from '@nestjs/common';
import { usdNumber } from '../kernel/money.js';
import { inputTotal, outputTotal } from '../kernel/usage.js';
import type { Settlement } from '../ledger/index.js';
import { Metrics } from '../platform/telemetry/index.js';
import type { Target } from '../routing/index.js';

/** Series of one metric that a process makes at most; what comes later is counted as `other`. */
const MAX_MODELS = 300;
const OTHER = 'other';

/**
 * What went to providers, by their types and models, in `/metrics`. A label is never a tenant's word: a type is one of the catalog's, and a model
 * has a name only where the platform's own price list has it.
 */
@Injectable()
export class Traffic {
  private readonly models = new Set<string>();

  constructor(private readonly metrics: Metrics) {}

  count({ type: provider, price }: Pick<Target, 'type' | 'price'>, { status, amount, usage, firstByteMs }: Settlement): void {
    const listed = price && price.tenantId === null && price.model !== '*' ? price.model : OTHER;
    const labels = { provider, model: this.bounded(provider, listed) };
    const { providerCalls, providerTokens, providerUsd, providerFirstByte } = this.metrics;
    providerCalls.inc({ ...labels, outcome: status });
    if (firstByteMs !== null) providerFirstByte.observe({ provider }, firstByteMs / 1000);
    const input = inputTotal(usage);
    if (input > 0) providerTokens.inc({ ...labels, kind: 'input' }, input);
    const output = outputTotal(usage);
    if (output > 0) providerTokens.inc({ ...labels, kind: 'output' }, output);
    if (amount) providerUsd.inc(labels, usdNumber(amount));
  }

  private bounded(provider: string, model: string): string {
    const key = `${provider}/${model}`;
    if (this.models.has(key)) return model;
    if (this.models.size >= MAX_MODELS) return OTHER;
    this.models.add(key);
    return model;
  }
}
