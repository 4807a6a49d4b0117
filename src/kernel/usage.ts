import { UNITS } from './units.js';

export type Unit = (typeof UNITS)[number];
type Side = Unit['side'];
/** A side whose units are tokens. */
export type TokenSide = Exclude<Side, 'fee'>;
type Whole = Extract<Unit, { partOf: null }>;
export type RatedUnit = Extract<Unit, { rate: object }>;
type Fee = Extract<Unit, { side: 'fee' }>;
export type FeeUnit = Extract<Fee, RatedUnit>;
/** How often a call may use what has a fee. */
export type Fees = Readonly<Partial<Record<FeeUnit['field'], number>>>;
/** Tokens of what is no text. */
export type MediaUnit = Extract<RatedUnit, { medium: object }>;
export type Medium = MediaUnit['medium']['name'];
/** A price may be without its rate. */
export type OptionalUnit = FeeUnit | MediaUnit;
/** Tokens of text. */
export type TextUnit = Exclude<RatedUnit, OptionalUnit>;
type Api = keyof Unit['shown'];

/** What one attempt used, by unit. Units are disjoint but for parts, which are null when the provider does not report them. */
export type Usage = { [U in Unit as U['field']]: U extends Whole ? number : number | null };

/** As ledger entries keep it: quantities beside the numbers of their units. */
export interface StoredUsage {
  units: number[];
  quantities: number[];
}

type Shown<A extends Api> = { [U in Unit as U['shown'][A] & string]: U extends Whole ? number : number | null };
/** As an API shows it: the tokens of each side, what they are made of, and what has a fee. */
export type ShownUsage<A extends Api> = Record<`${TokenSide}_tokens`, number> & Shown<A>;

const SIDES = [...new Set<Side>(UNITS.map(({ side }) => side))];
const isTokens = (side: Side): side is TokenSide => side !== 'fee';
const TOKEN_SIDES = SIDES.filter(isTokens);
const WHOLE: readonly Whole[] = UNITS.filter((unit): unit is Whole => unit.partOf === null);
const FIELDS = Object.fromEntries(
  SIDES.map((side) => [side, WHOLE.filter((unit) => unit.side === side).map(({ field }) => field)]),
) as Record<Side, Whole['field'][]>;

/** In an order in which a fallback comes before what falls back to it. */
export const RATED_UNITS: readonly RatedUnit[] = UNITS.filter((unit): unit is RatedUnit => unit.rate !== null);
export const isFee = (unit: RatedUnit): unit is FeeUnit => unit.side === 'fee';
const isMedia = (unit: RatedUnit): unit is MediaUnit => unit.medium !== null;
export const isOptional = (unit: RatedUnit): unit is OptionalUnit => isFee(unit) || isMedia(unit);
export const TEXT_UNITS: readonly TextUnit[] = RATED_UNITS.filter((unit): unit is TextUnit => !isOptional(unit));
export const MEDIA_UNITS: readonly MediaUnit[] = RATED_UNITS.filter(isMedia);
export const FEE_UNITS: readonly FeeUnit[] = RATED_UNITS.filter(isFee);
export const OPTIONAL_UNITS: readonly OptionalUnit[] = [...MEDIA_UNITS, ...FEE_UNITS];

const usageBy = (quantity: (unit: Unit) => number | null): Usage =>
  Object.fromEntries(UNITS.map((unit) => [unit.field, quantity(unit)])) as Usage;

export const NO_USAGE: Readonly<Usage> = usageBy(({ partOf }) => (partOf === null ? 0 : null));

function total(usage: Usage, side: Side): number {
  let sum = 0;
  for (const field of FIELDS[side]) sum += usage[field];
  return sum;
}

export const inputTotal = (usage: Usage): number => total(usage, 'input');
export const outputTotal = (usage: Usage): number => total(usage, 'output');

/** The same, with all tokens counted as text: for formats and sums that do not tell media apart. */
export function asText(usage: Usage): Usage {
  const text = { ...usage };
  for (const { field, medium } of MEDIA_UNITS) {
    text[medium.plain] += usage[field];
    text[field] = 0;
  }
  return text;
}

/** Counts up to so many tokens as a medium that were counted as text. */
export function toMedium(usage: Usage, { field, medium }: MediaUnit, tokens: number): Usage {
  const moved = Math.min(tokens, usage[medium.plain]);
  return moved > 0 ? { ...usage, [medium.plain]: usage[medium.plain] - moved, [field]: usage[field] + moved } : usage;
}

export const mediaUnit = (field: MediaUnit['field']): MediaUnit => MEDIA_UNITS.find((unit) => unit.field === field)!;

/**
 * Of two counts of one answer, the larger of each side: counts grow. A side is taken whole, as a later count may split it into other classes.
 */
export function largerUsage(before: Usage, later: Usage): Usage {
  const larger = (side: Side) => (total(later, side) >= total(before, side) ? later : before);
  const bySide = Object.fromEntries(SIDES.map((side) => [side, larger(side)])) as Record<Side, Usage>;
  return usageBy(({ side, field }) => bySide[side][field]);
}

/** What is not used is left out; a part that was reported is kept, also when there is none of it. */
export function storeUsage(usage: Usage): StoredUsage {
  const stored: StoredUsage = { units: [], quantities: [] };
  for (const { number, field, partOf } of UNITS) {
    const quantity = usage[field];
    if (quantity === null || (quantity === 0 && partOf === null)) continue;
    stored.units.push(number);
    stored.quantities.push(quantity);
  }
  return stored;
}

/** Plain tokens of each side: what is booked of a call of which no more is known. */
export const PLAIN_UNITS: readonly number[] = TOKEN_SIDES.map((side) => WHOLE.find((unit) => unit.side === side)!.number);

/** SQL: how much of a unit a ledger entry has; NULL: none. `entry`: the alias of the table. */
export const quantitySql = (entry: string, unit: Pick<Unit, 'number'>): string =>
  `${entry}.quantities[array_position(${entry}.units, ${unit.number}::smallint)]`;

/** Columns that sum up ledger entries by unit, each named by its field. */
export const usageSums = (entry: string): string =>
  UNITS.map((unit) => `sum(${quantitySql(entry, unit)})::bigint AS "${unit.field}"`).join(', ');

/** Such columns. Null: no entry has the unit. */
export type UsageSums = Record<Unit['field'], bigint | null>;

export const summedUsage = (row: UsageSums): Usage =>
  usageBy(({ field, partOf }) => (row[field] === null ? (partOf === null ? 0 : null) : Number(row[field])));

export function showUsage<A extends Api>(usage: Usage, api: A): ShownUsage<A> {
  const ofUnit = ({ field }: Unit, before: number | null = 0) => {
    const quantity = usage[field];
    return quantity === null || before === null ? null : before + quantity;
  };
  return shown<number | null>(api, (side) => total(usage, side), ofUnit) as ShownUsage<A>;
}

/**
 * An object of what an API shows of usage, in its order.
 * @param ofTotal a value for the total of a side. @param ofUnit one for a unit; `before` is that of another unit of the same name.
 */
export function shown<T>(api: Api, ofTotal: (side: TokenSide) => T, ofUnit: (unit: Unit, before: T | undefined) => T): Record<string, T> {
  const all: Record<string, T> = {};
  for (const side of SIDES) {
    if (isTokens(side)) all[`${side}_tokens`] = ofTotal(side);
    for (const unit of UNITS) {
      const name = unit.shown[api];
      if (unit.side === side && name !== null) all[name] = ofUnit(unit, all[name]);
    }
  }
  return all;
}
