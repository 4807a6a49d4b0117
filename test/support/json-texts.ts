import fc from 'fast-check';

/** A JSON text, with white space between its signs and without. */
export interface JsonText {
  spaced: string;
  compact: string;
}

/** How numbers may be written that JavaScript writes otherwise, and some that it writes alike. */
const aNumberText = (): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom('12345678901234567890', '9007199254740993', '1.0', '1e2', '1E+2', '-0', '0.10', '1e400', '5e-324', '0.1', '7', '-3.25'),
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
    fc
      .tuple(fc.integer(), fc.array(fc.constantFrom(...'0123456789'), { minLength: 1, maxLength: 20 }), fc.integer({ min: -99, max: 99 }))
      .map(([whole, fraction, exponent]) => `${whole}.${fraction.join('')}e${exponent}`),
  );

/**
 * Keys that JavaScript puts in another order, that objects have anyway, or that need escapes. None begins with a backslash: once it has read such
 * a key, V8 13.6 takes other keys with an escape for it.
 */
const aKey = (): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.nat({ max: 12 }).map(String),
      fc.constantFrom('__proto__', 'constructor', 'toString', 'id', 'a"b', '01', '-1', '4294967295', ''),
      fc.string({ maxLength: 4, unit: 'binary' }),
    )
    .filter((key) => !key.startsWith('\\'));

const WHITE = ['', '', ' ', '\n\t', '\r\n  '];

const join = (open: string, close: string, parts: readonly { spaced: string; compact: string }[], white: readonly string[]): JsonText => {
  const at = (index: number) => white[index % white.length] ?? '';
  return {
    spaced: `${open}${at(0)}${parts.map(({ spaced }, index) => `${spaced}${at(index)}`).join(`,${at(1)}`)}${close}`,
    compact: `${open}${parts.map(({ compact }) => compact).join(',')}${close}`,
  };
};

interface Tree {
  value: JsonText;
  object: JsonText;
}

const { object } = fc.letrec<Tree>((tie) => {
  const leaf = fc
    .oneof(
      aNumberText(),
      fc.constantFrom('true', 'false', 'null', '{}', '[]'),
      fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.constantFrom('1.0', '{"1":1e2}', '\\"')).map((text) => JSON.stringify(text)),
    )
    .map((text) => ({ spaced: text, compact: text }));
  const white = fc.array(fc.constantFrom(...WHITE), { minLength: 3, maxLength: 3 });
  const list = fc
    .tuple(fc.array(tie('value') as fc.Arbitrary<JsonText>, { maxLength: 4 }), white)
    .map(([entries, between]) => join('[', ']', entries, between));
  const members = fc.uniqueArray(fc.tuple(aKey(), tie('value') as fc.Arbitrary<JsonText>), { maxLength: 5, selector: ([key]) => key });
  return {
    value: fc.oneof({ maxDepth: 4 }, leaf, list, tie('object') as fc.Arbitrary<JsonText>),
    object: fc.tuple(members, white).map(([pairs, between]) =>
      join(
        '{',
        '}',
        pairs.map(([key, inner]) => {
          const name = JSON.stringify(key);
          return {
            spaced: `${name}${between[2]}:${between[1]}${inner.spaced}`,
            compact: `${name}:${inner.compact}`,
          };
        }),
        between,
      ),
    ),
  };
});

/** Any JSON text of an object, in which no object has a key twice. */
export const anObjectText = (): fc.Arbitrary<JsonText> => object;
