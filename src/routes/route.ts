import type { Id } from '../kernel/ids.js';

/** `exact`: a whole name, an alias. `prefix`: what a name begins with. `hint`: the name of a task, asked for as `hint:name`. */
export const MATCH_KINDS = ['exact', 'prefix', 'hint'] as const;
type MatchKind = (typeof MATCH_KINDS)[number];

/** In which order the targets of a call are tried. */
export const STRATEGIES = ['ordered', 'weighted', 'least_latency', 'least_cost'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What a hint is asked for with. */
export const HINT = 'hint:';
/** Ends a target that passes on the rest of the name that was asked for. */
export const REST = '*';

export interface RouteMatch {
  kind: MatchKind;
  value: string;
}

export interface RouteTarget {
  /** `provider/model-id`; of a prefix also `provider/*`. */
  model: string;
  weight: number;
  /** The one key that it is called with; null: any of the provider's. */
  credential: Id | null;
}

/** Other targets while a budget is nearly spent. */
export interface RouteCondition {
  /** Null: the fullest of those that a call counts against. */
  budget: Id | null;
  usedPercent: number;
  use: readonly RouteTarget[];
}

/** A name that calls may ask for, and the models it leads to. Null in its policy: as without a route. */
export interface Route {
  /** Null: the platform's, for every tenant. */
  tenantId: string | null;
  id: Id;
  name: string;
  match: RouteMatch;
  targets: readonly RouteTarget[];
  strategy: Strategy;
  retries: number | null;
  attempts: number | null;
  deadlineMs: number | null;
  fallbackOn: readonly string[] | null;
  when: RouteCondition | null;
  /** `operator`: the platform's rule, which the tenant cannot change. */
  setBy: string;
  externalId: string | null;
  metadata: unknown;
  /** Rises with each change; the ETag. */
  version: number;
  createdAt: Date;
}

/** The name that a call asks for to match exactly this. Of a prefix: what the name begins with. */
export const nameOf = ({ kind, value }: RouteMatch): string => (kind === 'hint' ? HINT + value : value);

/** What a prefix passes on of a name: all of it, but for a provider that the prefix begins with. */
export function passedOn(
  { match, targets }: Pick<Route, 'match' | 'targets'>,
  name: string,
  isProvider: (name: string) => boolean,
): string {
  const slash = match.value.indexOf('/');
  if (slash === -1) return name;
  const provider = match.value.slice(0, slash);
  return isProvider(provider) || targets.some(({ model }) => model.startsWith(`${provider}/`)) ? name.slice(slash + 1) : name;
}

/** Printable, and storable: no control character and no half surrogate pair. */
const NAME = /^[^\s\p{Cc}\p{Cs}]{1,256}$/u;
const TASK = /^[\w.-]{1,64}$/;

/** Why no call can ask for this, in the words that follow the value; null: one can. */
export function faultOfMatch({ kind, value }: RouteMatch): string | null {
  if (kind === 'hint') return TASK.test(value) ? null : 'is no name of a task: use 1 to 64 letters, digits, "_", "-" and "."';
  if (value.startsWith(HINT)) return `matches nothing: names that begin with "${HINT}" are hints. Use {"kind":"hint"}`;
  if (value.includes(REST))
    return `matches nothing: no name has a "${REST}". ${kind === 'exact' ? 'Use {"kind":"prefix"}' : 'Leave it out'}`;
  return NAME.test(value) ? null : 'matches nothing: a name has 1 to 256 printable characters and no spaces';
}
