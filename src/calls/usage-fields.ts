import { z } from 'zod';
import { type ShownUsage, shown, type TokenSide } from '../kernel/usage.js';

type Fields<A extends 'call' | 'sums'> = { [Name in keyof ShownUsage<A>]: z.ZodType<ShownUsage<A>[Name]> };

const count = z.number().int();

/** The schema of what `showUsage` returns. `about` describes totals. */
export const usageFields = <A extends 'call' | 'sums'>(api: A, about: Partial<Record<TokenSide, string>> = {}): Fields<A> =>
  shown<z.ZodType>(
    api,
    (side) => (about[side] === undefined ? count : count.describe(about[side])),
    ({ partOf }) => (partOf === null ? count : count.nullable()),
  ) as Fields<A>;
