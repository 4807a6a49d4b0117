import type { WeirError } from '../kernel/errors.js';
import type { Plan } from '../routing/index.js';

/** Why a target did not answer. */
export interface TargetFault {
  reference: string;
  error: WeirError;
}

/**
 * What the client is told: the error of the last attempt, which names all targets where there are several. An SDK is not to repeat what was
 * repeated here.
 */
export function errorOfAll(faults: readonly TargetFault[], { skipped }: Plan, error: WeirError, attempts: number): WeirError {
  const repeated = attempts > 1 && error.retry ? { retry: false } : {};
  const each = [
    ...skipped.map(({ model, reason }) => `"${model}": ${reason}`),
    ...faults.map((fault) => `"${fault.reference}": ${fault.error.message} (${fault.error.code})`),
  ];
  if (each.length === 1) return 'retry' in repeated ? error.with(repeated) : error;
  const what = attempts === 0 ? 'could be called' : 'answered';
  return error.with({ message: `None of the ${each.length} models ${what}. ${each.join(' ')}`, ...repeated });
}
