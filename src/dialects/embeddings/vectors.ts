const FLOAT_BYTES = 4;

/** A vector as it was cut out of its reply: the place of its numbers, see {@link CutJson}. @throws when it is none. */
export function vectorOf(value: number[] | string, lists: readonly number[][]): number[] {
  if (typeof value === 'string') return unpacked(value);
  if (value.length === 0) return [];
  const numbers = value.length === 1 ? lists[value[0]!] : undefined;
  if (!numbers) throw new Error('an embedding is no list of numbers');
  return numbers;
}

/** A vector as a provider wrote it: a list of numbers. @throws when it is none. */
export function numbersOf(value: unknown): number[] {
  if (!Array.isArray(value) || !value.every((number) => typeof number === 'number')) throw new Error('an embedding is no list of numbers');
  return value;
}

/** OpenAI's compact form: 32-bit floats, the least significant byte first, in base64. */
export function packed(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * FLOAT_BYTES);
  for (let at = 0; at < vector.length; at++) bytes.writeFloatLE(vector[at]!, at * FLOAT_BYTES);
  return bytes.toString('base64');
}

/** @throws when the text is no packed vector. */
export function unpacked(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 0 || bytes.length % FLOAT_BYTES !== 0) throw new Error('an embedding is no list of 32-bit floats');
  return Array.from({ length: bytes.length / FLOAT_BYTES }, (_, at) => bytes.readFloatLE(at * FLOAT_BYTES));
}
