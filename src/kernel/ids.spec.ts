import { newId, parsePublicId, publicId } from './ids.js';

test('a new id is a uuid of version 7 that says when it was made', () => {
  const before = Date.now();
  const id = newId();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const madeAt = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  expect(madeAt).toBeGreaterThanOrEqual(before);
  expect(madeAt).toBeLessThanOrEqual(Date.now());
});

test('later ids sort later, within a millisecond too, and none comes twice', () => {
  const ids = Array.from({ length: 100_000 }, newId);
  expect(ids.findIndex((id, at) => at > 0 && id <= ids[at - 1]!)).toBe(-1);
});

test('a public id is read back, and only as its own kind', () => {
  const id = newId();
  expect(parsePublicId('tenant', publicId('tenant', id))).toBe(id);
  expect(parsePublicId('project', publicId('tenant', id))).toBeNull();
  expect(parsePublicId('tenant', `ten_${id}`)).toBeNull();
});
