import fc from 'fast-check';
import { reportedCost } from './reported-cost.js';

test.each<[object, bigint | null]>([
  [{ cost: 0.00123 }, 1_230_000n],
  [{ cost: '0.00123' }, 1_230_000n],
  [{ cost: 0.00001, is_byok: true, cost_details: { upstream_inference_cost: 0.002 } }, 2_010_000n],
  [{ cost: 0.002, is_byok: false, cost_details: { upstream_inference_cost: 0.002 } }, 2_000_000n],
  [{ cost: { input_tokens_cost: 1, total_cost: 0.006 } }, 6_000_000n],
  [{ estimated_cost: 0.5 }, 500_000_000n],
  [{ cost_in_usd_ticks: 37_756_000 }, 3_775_600n],
  [{ cost: 0 }, 0n],
  [{ prompt_tokens: 1 }, null],
  [{ cost: -1 }, null],
  [{ cost: 'a lot' }, null],
  [{ cost: 1e300 }, null],
])('%j says %s nano-USD', (usage, cost) => expect(reportedCost(usage)).toBe(cost));

test('whatever a provider sends, it is a cost or nothing', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom('cost', 'total_cost', 'cost_in_usd_ticks'), fc.anything())),
      (raw) => {
        const cost = reportedCost(raw);
        return cost === null || cost >= 0n;
      },
    ),
  );
});
