import fc from 'fast-check';
import type { AnswerState } from '../dialects/index.js';
import { newId } from '../kernel/ids.js';
import { ReasoningMemory } from './reasoning-memory.js';

const stateOf = (signature: string): AnswerState => ({ reasoning: [], signatures: [signature] });
const BYTES = 1_000;
/** With what is counted for an entry itself. */
const ENTRY = BYTES + 500;

function memoryOf(limits: { tenantBytes: number; allBytes: number }): ReasoningMemory {
  const memory = new ReasoningMemory();
  Object.assign(memory.limits, limits);
  return memory;
}

test('what is kept is recalled by its tenant in its scope only', () => {
  const memory = new ReasoningMemory();
  const [mine, other] = [newId(), newId()];
  memory.of(mine, 'provider', 'model').keep('key', stateOf('S'), BYTES);
  expect(memory.of(mine, 'provider', 'model').recall('key')).toEqual(stateOf('S'));
  expect(memory.of(other, 'provider', 'model').recall('key')).toBeNull();
  expect(memory.of(mine, 'provider', 'another').recall('key')).toBeNull();
  expect(memory.of(mine, 'provider', 'model').recall('another')).toBeNull();
});

test('it is forgotten an hour after it was made, however often it is recalled', () => {
  const memory = new ReasoningMemory();
  const share = memory.of(newId());
  let now = 0;
  memory.now = () => now;
  share.keep('key', stateOf('S'), BYTES);
  now = 3_600_000;
  expect(share.recall('key')).not.toBeNull();
  now++;
  expect(share.recall('key')).toBeNull();
});

test('a tenant that keeps much loses its own that was used longest ago, and takes no share from others', () => {
  const memory = memoryOf({ tenantBytes: 2 * ENTRY, allBytes: 10 * ENTRY });
  const [busy, quiet] = [memory.of(newId()), memory.of(newId())];
  quiet.keep('q', stateOf('Q'), BYTES);
  for (const key of ['a', 'b']) busy.keep(key, stateOf(key), BYTES);
  busy.recall('a');
  busy.keep('c', stateOf('c'), BYTES);
  expect(['a', 'b', 'c'].map((key) => busy.recall(key) !== null)).toEqual([true, false, true]);
  expect(quiet.recall('q')).not.toBeNull();
  busy.keep('huge', stateOf('huge'), 3 * ENTRY);
  expect(busy.recall('huge')).toBeNull();
});

test('whatever is kept and recalled, neither bound is passed, and what was kept last is there', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const step = fc.record({ tenant: fc.nat(3), key, bytes: fc.nat(3_000), recall: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const limits = { tenantBytes: 5_000, allBytes: 8_000 };
      const memory = memoryOf(limits);
      const tenants = Array.from({ length: 4 }, () => newId());
      const sizes = new Map<string, number>();
      for (const { tenant, key, bytes, recall } of steps) {
        const share = memory.of(tenants[tenant]!);
        if (recall) share.recall(key);
        else {
          share.keep(key, stateOf(key), bytes);
          sizes.set(`${tenant} ${key}`, bytes + 500);
          expect(share.recall(key)).toEqual(stateOf(key));
        }
        const kept = tenants.map((id, index) =>
          ['a', 'b', 'c', 'd', 'e'].reduce((sum, name) => sum + (memory.of(id).recall(name) ? sizes.get(`${index} ${name}`)! : 0), 0),
        );
        expect(Math.max(...kept)).toBeLessThanOrEqual(limits.tenantBytes);
        expect(kept.reduce((a, b) => a + b)).toBeLessThanOrEqual(limits.allBytes);
      }
    }),
  );
});
