import fc from 'fast-check';
import { Slots } from './slots.js';

test('holds what was added and not deleted, and reuses its slots', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 200 }), (steps) => {
      const slots = new Slots<{ slot: number; name: number }>();
      const present = new Map<number, { slot: number; name: number }>();
      let most = 0;
      for (const name of steps) {
        const item = present.get(name);
        if (item) {
          slots.delete(item);
          present.delete(name);
        } else {
          const added = { slot: -1, name };
          slots.add(added);
          present.set(name, added);
        }
        most = Math.max(most, present.size);
        expect(slots.size).toBe(present.size);
        expect([...slots].map((one) => one.name).sort()).toEqual([...present.keys()].sort());
        expect([...slots].every((one) => one.slot < most)).toBe(true);
      }
    }),
  );
});
