import type { ModelRule } from '../platform/config/index.js';

/** The model whose rules apply to this one by the operator's word; undefined: its own do. */
export function modelRulesOf(rules: readonly ModelRule[], model: string): string | undefined {
  return rules.find(({ match }) => (match.endsWith('*') ? model.startsWith(match.slice(0, -1)) : model === match))?.treatAs;
}
