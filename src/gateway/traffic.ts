import { Injectable } from '@nestjs/common';
import { usdNumber } from '../kernel/money.js';
import { UNITS } from '../kernel/units.js';
import { inputTotal, outputTotal } from '../kernel/usage.js';
import type { Settlement } from '../ledger/index.js';
import { Metrics } from '../platform/telemetry/index.js';
import type { Target } from '../routing/index.js';
import type { Outcome } from './attempts/outcome.js';
import type { Call } from './call.js';

/** Series of one metric that a process makes at most; what comes later is counted as `other`. */
const MAX_MODELS = 300;
const OTHER = 'other';

const CLASSES = UNITS.map(({ field, rate }) => ({ field, label: rate?.stored ?? field }));

/**
 * What went to providers, by their types and models, in `/metrics`. A label is never a tenant's word: a type is one of the catalog's, and a model
 * has a name only where the platform's own price list has it.
 */
@Injectable()
export class Traffic {
  private readonly models = new Set<string>();

  constructor(private readonly metrics: Metrics) {}

  /** @param since by `call.elapsedMs`, when it was asked for. @param isFirst of the call. */
  held(call: Call, since: number, isFirst: boolean): void {
    const now = call.elapsedMs();
    this.metrics.hold.observe((now - since) / 1000);
    if (isFirst) this.metrics.admission.observe(now / 1000);
  }

  /** @param since by `call.elapsedMs`, when it began. */
  attempted({ type: provider }: Pick<Target, 'type'>, since: number, { attempts, error, firstByteMs }: Outcome): void {
    this.metrics.attempts.inc({ provider, reason: attempts.at(-1)?.reason ?? error?.code ?? 'none' });
    if (firstByteMs !== null) this.metrics.providerFirstByte.observe({ provider }, (firstByteMs - since) / 1000);
  }

  /** @param settleMs how long its booking took. */
  count({ type: provider, price }: Pick<Target, 'type' | 'price'>, { status, amount, usage }: Settlement, settleMs: number): void {
    const listed = price && price.tenantId === null && price.model !== '*' ? price.model : OTHER;
    const labels = { provider, model: this.bounded(provider, listed) };
    const { providerCalls, providerTokens, providerUsd, settle, tokens } = this.metrics;
    settle.observe(settleMs / 1000);
    providerCalls.inc({ ...labels, outcome: status });
    const input = inputTotal(usage);
    if (input > 0) providerTokens.inc({ ...labels, kind: 'input' }, input);
    const output = outputTotal(usage);
    if (output > 0) providerTokens.inc({ ...labels, kind: 'output' }, output);
    for (const { field, label } of CLASSES) {
      const quantity = usage[field];
      if (quantity) tokens.inc({ class: label }, quantity);
    }
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
