import { publicId } from '../kernel/ids.js';
import { formatUsd, type Nano } from '../kernel/money.js';

/** `full`: everything there is. `recent`: periods that are open or closed a moment ago, and calls of the last minutes. */
export type Depth = 'full' | 'recent';

/** What is always true of the ledger. */
export const INVARIANTS = {
  I1: 'what a period has spent, and what its providers cost, are the sums of its entries',
  I2: 'what a period or a limit holds are its open holds, and what is held apart',
  I3: 'no hard budget is spent and held beyond its limit',
  I4: 'a hold that is over has one call, an open one none unless it is a later attempt',
  I5: 'one entry per call, attempt and kind',
  I6: 'what was used is booked once, and nothing else is',
  I7: 'what is no longer in flight holds nothing',
  I8: 'what is rolled up for reports are the sums of the entries',
} as const;
export type Invariant = keyof typeof INVARIANTS;

/** Something that must not be. */
export interface Breach {
  invariant: Invariant;
  tenantId: string;
  /** The same for the same fault, e.g. `I1:period:12`. */
  key: string;
  /** One sentence, with ids and figures. */
  message: string;
  /** What to do about it. */
  remedy: string;
}

/** One invariant, looked at. */
export interface Check {
  invariant: Invariant;
  /** How many periods, holds or entries were looked at. */
  checked: number;
  /** How many of them break it; `breaches` of the audit lists the first few. */
  broken: number;
  tookMs: number;
}

/** What the ledger looked like in one snapshot. */
export interface Audit {
  depth: Depth;
  /** The moment of the snapshot, in Postgres' time. */
  at: Date;
  tookMs: number;
  checks: Check[];
  breaches: Breach[];
  lost: LostCalls;
}

/** Calls that are booked as estimates because their gateway was lost, and of which no truth came. Amounts in USD. */
export interface LostCalls {
  calls: number;
  booked: string;
  held: string;
}

/** Figures as the auditor's statements answer them: bigints as text, which JSON would round. */
export type Facts = Record<string, string | null>;

/** Says what is wrong, from the facts that a statement found. */
export function breachOf(invariant: Invariant, facts: Facts): Breach {
  const { what, ...sentence } = SENTENCES[invariant](facts);
  return { invariant, tenantId: facts['tenant_id']!, key: `${invariant}:${what}`, ...sentence };
}

type Sentence = { what: string; message: string; remedy: string };

const SENTENCES: Record<Invariant, (facts: Facts) => Sentence> = {
  I1: (facts) => {
    const [column, told, figure, total] =
      facts['spent'] === facts['total']
        ? ['provider_cost', 'notes a provider cost of', facts['provider_cost'], facts['cost']]
        : ['spent', 'has spent', facts['spent'], facts['total']];
    return {
      what: `period:${facts['period_id']}`,
      message: `${period(facts)} ${told} ${usd(figure)}, but its ${facts['entries']} entries and what is archived of it come to ${usd(total)}.`,
      remedy: `The entries are right: find out who wrote to budget_periods, then set ${column} to ${total} where id = ${facts['period_id']}.`,
    };
  },
  I2: (facts) =>
    facts['counter_id'] != null
      ? {
          what: `counter:${facts['counter_id']}`,
          message: `The counter ${facts['counter_id']} of limit ${facts['limit_id']}, scope ${facts['scope_value']}, of ${tenant(facts)}, counts ${facts['open']} calls in flight, but ${facts['holds']} are.`,
          remedy: `Set open to ${facts['holds']} in limit_counters where id = ${facts['counter_id']}.`,
        }
      : {
          what: `period:${facts['period_id']}`,
          message: `${period(facts)} holds ${usd(facts['held'])}, but its ${facts['holds']} open holds${apartOf(facts)} come to ${usd(facts['total'])}.`,
          remedy: `The holds are right: set held to ${facts['total']} in budget_periods where id = ${facts['period_id']}, while no call is in flight.`,
        },
  I3: (facts) => ({
    what: `period:${facts['period_id']}`,
    message: `${period(facts)} has spent ${usd(facts['spent'])} and holds ${usd(facts['held'])}, which is ${usd(facts['beyond'])} beyond what its limit of ${usd(facts['limit'])}, its grants of ${usd(facts['granted'])} and what was booked above its holds (${usd(facts['above'])}) allow.`,
    remedy:
      'A call was admitted that should have been refused: keep the database as it is, and report this with the entries of the period.',
  }),
  I4: (facts) => ({
    what: holdKey(facts),
    message: `The hold of ${hold(facts)} is ${facts['state']}, but there are ${facts['calls']} rows of it in calls instead of ${isBooked(facts) ? 'one' : 'none'}.`,
    remedy: isBooked(facts)
      ? 'The hold was resolved past settle_calls, or the call was removed: find out by whom.'
      : 'The call was booked past settle_calls: find out by whom, and void the hold.',
  }),
  I5: (facts) => ({
    what: `call:${facts['call_id']}:${facts['attempt']}:${facts['kind']}`,
    message: `${upper(call(facts))} has ${facts['entries']} entries of kind ${facts['kind']} for attempt ${facts['attempt']}, of ${usd(facts['total'])} together.`,
    remedy: 'The call is billed more than once: book an adjustment of the difference.',
  }),
  I6: (facts) => {
    if (facts['kind'] === 'estimate')
      return {
        what: `${holdKey(facts)}:${facts['kind']}`,
        message: `${upper(hold(facts))} was made with a provider that the platform lends, and its gateway was lost, but it is booked at ${usd(facts['total'])} instead of the ${usd(facts['others'])} that were held.`,
        remedy: "The platform may pay more than is booked: look for the call in the provider's log, and find out who wrote to the ledger.",
      };
    if (facts['kind'] === 'adjustment')
      return {
        what: `call:${facts['call_id']}:${facts['kind']}`,
        message: `${upper(call(facts))} was made with a provider that the platform lends, but ${facts['others']}, an admin key of the tenant, adjusted it by ${usd(facts['total'])}.`,
        remedy: 'A tenant changed what the platform paid: revoke the key, and re-rate the call as an operator.',
      };
    return facts['state'] === null
      ? {
          what: `call:${facts['call_id']}:${facts['kind']}`,
          message: `There is an entry of kind ${facts['kind']} over ${usd(facts['total'])} for ${call(facts)}, but there is no such call.`,
          remedy: 'The entry has no call: book an adjustment that reverses it.',
        }
      : {
          what: holdKey(facts),
          message: `The hold of ${hold(facts)} is ${facts['state']}, but it has ${facts['usage']} usage entries and ${facts['others']} others, instead of ${wantedEntries(facts['state']!)}.`,
          remedy: 'Usage and booking differ: compare the call row with its entries, and book an adjustment.',
        };
  },
  I7: (facts) =>
    facts['call_id'] != null
      ? {
          what: holdKey(facts),
          message: `The hold of ${hold(facts)} over ${usd(facts['amount'])} is open, but it was due at ${facts['due']}: its lease and its call were over.`,
          remedy:
            'Start a process with the role worker: its reaper resolves such holds within seconds. If one runs, its log says what is wrong.',
        }
      : {
          what: `period:${facts['period_id']}`,
          message: `${period(facts)} holds ${usd(facts['held'])}, but nothing of it is in flight.`,
          remedy: `Set held to 0 in budget_periods where id = ${facts['period_id']}: what is held there can never be spent.`,
        },
  I8: (facts) => ({
    what: `quarter:${facts['tenant_id']}:${facts['starts_at']}`,
    message: `${upper(tenant(facts))} has ${usd(facts['rolled'])} rolled up for the quarter of an hour from ${facts['starts_at']}, but its entries come to ${usd(facts['total'])}, or their tokens or calls differ.`,
    remedy:
      'The entries are right: as the owner of the database, call the function rebuild_usage. Reports read the entries until it is done.',
  }),
};

/** A call that was refused while Postgres was away has a hold, so that it cannot be held later, and no call row. */
const isBooked = (facts: Facts): boolean => isLater(facts) || !['open', 'refused'].includes(facts['state']!);

function wantedEntries(state: string): string {
  if (state === 'open') return 'none, because nothing is booked before a hold is over';
  return state === 'settled' || state === 'expired' ? 'one usage entry' : 'none, because nothing was used';
}

/** Calls that are booked as an estimate and may turn out dearer. */
const apartOf = (facts: Facts): string => (facts['apart'] === '0' ? '' : ` and what is held apart for ${facts['apart']} calls`);

const usd = (nano: string | null | undefined): string => (nano == null ? 'an unknown amount' : `$${formatUsd(BigInt(nano) as Nano)}`);
const tenant = (facts: Facts): string => publicId('tenant', facts['tenant_id']!);
const call = (facts: Facts): string => `${publicId('call', facts['call_id']!)} of ${tenant(facts)}`;
/** Calls have one attempt, as a rule. */
const isLater = (facts: Facts): boolean => ![null, undefined, '1'].includes(facts['attempt']);
const holdKey = (facts: Facts): string => `call:${facts['call_id']}${isLater(facts) ? `:${facts['attempt']}` : ''}`;
const hold = (facts: Facts): string => (isLater(facts) ? `attempt ${facts['attempt']} of ${call(facts)}` : call(facts));
const period = (facts: Facts): string =>
  `Period ${publicId('period', facts['period_id']!)} of budget ${publicId('budget', facts['budget_id']!)}, from ${facts['starts_at']}, scope ${facts['scope_value']}, of ${tenant(facts)}`;
const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
