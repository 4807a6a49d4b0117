import { newId, parsePublicId, publicId } from './ids.js';

test('a new id is a uuid of version 7, and later ids sort later', async () => {
  const first = newId();
  expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const startedAt = Date.now();
  while (Date.now() === startedAt);
  expect(newId() > first).toBe(true);
});

test('ten thousand ids are all different', () => {
  expect(new Set(Array.from({ length: 10_000 }, newId)).size).toBe(10_000);
});

test('a public id is read back, and only as its own kind', () => {
  const id = newId();
  expect(parsePublicId('tenant', publicId('tenant', id))).toBe(id);
  expect(parsePublicId('project', publicId('tenant', id))).toBeNull();
  expect(parsePublicId('tenant', `ten_${id}`)).toBeNull();
});
