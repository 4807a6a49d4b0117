import fc from 'fast-check';
import { ToolNames } from './tool-names.js';

const names = () => new ToolNames(/^[a-zA-Z_][a-zA-Z0-9_]*$/, /[^a-zA-Z0-9_]/g, 32);

test('a name that is allowed stays', () => {
  const { changed } = names();
  expect(names().sent('get_weather')).toBe('get_weather');
  expect(changed.size).toBe(0);
});

test('every other name becomes one that is allowed, and leads back', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 100 }), (name) => {
      const made = names();
      const sent = made.sent(name);
      expect(sent).toMatch(/^[a-zA-Z_][a-zA-Z0-9_]{0,31}$/);
      expect(made.changed.get(sent) ?? sent).toBe(name);
    }),
  );
});

test('names that differ stay different, and a name is always sent alike', () => {
  const made = names();
  expect(new Set(['a.b', 'a/b', 'a b', 'a'.repeat(40), 'a'.repeat(41)].map((name) => made.sent(name))).size).toBe(5);
  expect(made.sent('a.b')).toBe(names().sent('a.b'));
});
