import { z } from 'zod';
import { QUIRKS, type Quirks as QuirkValues } from '../../providers/index.js';

const outside = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Each quirk by its name outside. Native tools have a field of their own. */
const NAMES = new Map(
  Object.keys(QUIRKS)
    .filter((name) => name !== 'nativeTools')
    .map((name) => [outside(name), name as keyof typeof QUIRKS]),
);

const shape = Object.fromEntries([...NAMES].map(([name, inside]) => [name, z.literal([...QUIRKS[inside]]).optional()]));

export const QuirksObject = z.strictObject(shape);

/** As it is sent; becomes the quirks. */
export const Quirks = QuirksObject.transform(
  (given): QuirkValues => Object.fromEntries(Object.entries(given).map(([name, value]) => [NAMES.get(name), value])),
);

export const renderQuirks = (stored: unknown): z.input<typeof QuirksObject> =>
  Object.fromEntries(Object.entries(stored as Pick<QuirkValues, keyof typeof QUIRKS>).map(([name, value]) => [outside(name), value]));
