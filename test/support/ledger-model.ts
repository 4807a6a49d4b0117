/** What budgets, limits and holds promise, in as few words as it takes, without a database. Times in whole seconds since the epoch. */
export interface Terms {
  kind: string;
  /** `*`: each value by itself. */
  value: string;
  limit: bigint;
  hard: boolean;
  /** Of a calendar period; null: one for good. */
  seconds: number | null;
  /** How far a rolling budget looks back. */
  window: number | null;
}

export interface Rate {
  kind: string;
  value: string;
  requests: number | null;
  tokens: number | null;
  concurrency: number | null;
}

export interface Call {
  id: string;
  gateway: string;
  amount: bigint | null;
  tokens: number;
  scopes: readonly { kind: string; value: string }[];
}

interface Period {
  budget: Terms;
  value: string;
  end: number;
  limit: bigint;
  granted: bigint;
  spent: bigint;
  held: bigint;
  bookings: { at: number; amount: bigint }[];
}

interface Told {
  cost: bigint;
  tokens: number;
}

type Counted = { at: number; tokens: number; open: boolean };
interface Hold extends Call {
  state: 'open' | 'estimated' | 'lost' | 'over';
  lease: number;
  sent: boolean | null;
  /** What its gateway last told of it; null: nothing that says what it costs. */
  told: Told | null;
  estimate: bigint;
  /** What stays held of it beside its estimate. */
  apart: bigint;
  periods: Period[];
  counted: Counted;
}

/** A call whose hold is lost is booked for so long: a week less an hour. */
const KNOWN_SECONDS = 7 * 86_400 - 3_600;
/** A call is over so long after its hold: its deadline, and ten seconds. */
export const DEADLINE_SECONDS = 45;
const OVER_AFTER_SECONDS = DEADLINE_SECONDS + 10;
/** The worst is what a denial names. */
const BY_BUDGET = ['unpriced', 'exceeded', 'too_large', 'busy'];

export class LedgerModel {
  readonly holds = new Map<string, Hold>();
  /** When each gateway was last known to be gone. */
  private readonly gone = new Map<string, number>();
  private readonly periods = new Map<string, Period>();
  private readonly counters = new Map<string, Counted[]>();

  constructor(
    readonly budgets: Terms[],
    readonly rates: Rate[],
    public now: number,
  ) {}

  /** How a call may be answered: `held`, or any of the denials that name something in its way. And the least that its hard budgets have left. */
  admit(call: Call): { answers: string[]; remaining: bigint | null } {
    const periods = this.matching(this.budgets, call).map(([budget, value]) => this.period(budget, value, false));
    const counters = this.matching(this.rates, call).map(([rate, value]) => ({
      rate,
      value,
      counted: this.counters.get(this.counterKey(rate, value)) ?? [],
    }));
    const hard = periods.filter(({ budget }) => budget.hard);
    if ((this.holds.get(call.id)?.state ?? 'lost') === 'lost') {
      const denials = hard.map((period) => [
        denialOf(call.amount, period.limit + period.granted - this.spentIn(period), period),
        nameOf(period),
      ]);
      const worst = BY_BUDGET.find((verdict) => denials.some(([denial]) => denial === verdict));
      if (worst) return { answers: denials.filter(([denial]) => denial === worst).map((words) => words.join(' ')), remaining: null };
      const limits = counters.flatMap(({ rate, value, counted }) =>
        this.limitOf(rate, counted, call.tokens).map((verdict) => `${verdict} ${rate.kind} ${value}`),
      );
      if (limits.length > 0) return { answers: limits, remaining: null };
      // Only a call that is held leaves a trace.
      for (const { rate, value, counted } of counters) this.counters.set(this.counterKey(rate, value), counted);
      for (const period of periods) this.periods.set(this.periodKey(period.budget, period.value), period);
      const counted = { at: this.now, tokens: call.tokens, open: true };
      for (const counter of counters) counter.counted.push(counted);
      for (const period of periods) period.held += call.amount ?? 0n;
      this.holds.set(call.id, {
        ...call,
        state: 'open',
        lease: this.now + 30,
        sent: null,
        told: null,
        estimate: 0n,
        apart: 0n,
        periods,
        counted,
      });
    }
    const left = hard.map((period) => period.limit + period.granted - this.spentIn(period) - period.held);
    return { answers: ['held'], remaining: left.length > 0 ? left.reduce((a, b) => (a < b ? a : b)) : null };
  }

  /** The truth about a call: booked once, also when an estimate was booked before. A call that is voided costs nothing. */
  settle(id: string, cost: bigint, tokens: number): void {
    const hold = this.holds.get(id);
    if (hold?.state === 'open') this.resolve(hold, cost, tokens);
    else if (hold?.state === 'estimated') {
      this.free(hold);
      this.book(hold, cost - hold.estimate);
    } else if (hold?.state === 'lost') {
      if (this.now - hold.counted.at > KNOWN_SECONDS) return;
      this.book(hold, cost);
    }
    if (hold) hold.state = 'over';
  }

  /** Postgres has failed over to a server that has not heard of the hold; its call goes on. */
  lose(id: string): void {
    const hold = this.holds.get(id)!;
    for (const period of hold.periods) period.held -= hold.amount ?? 0n;
    hold.counted.open = false;
    hold.state = 'lost';
  }

  beat(id: string, told: Told | null): void {
    const hold = this.holds.get(id)!;
    if (hold.state === 'open') Object.assign(hold, { lease: this.now + 30, sent: true, told });
  }

  die(gateway: string, sent: string[]): void {
    this.gone.set(gateway, this.now);
    for (const hold of this.openHolds()) {
      if (hold.gateway === gateway)
        Object.assign(hold, { lease: Number.NEGATIVE_INFINITY, sent: hold.sent === true || sent.includes(hold.id) });
    }
  }

  reap(): void {
    for (const hold of this.openHolds()) {
      const isDead = hold.lease === Number.NEGATIVE_INFINITY;
      if (hold.lease >= this.now || (!isDead && hold.counted.at + OVER_AFTER_SECONDS >= this.now)) continue;
      const { cost, tokens } = hold.sent === false ? NOTHING : (hold.told ?? { cost: hold.amount ?? 0n, tokens: hold.tokens });
      hold.estimate = cost;
      hold.state = hold.sent === false ? 'over' : 'estimated';
      this.resolve(hold, cost, tokens);
      if (isDead || hold.sent === false) continue;
      hold.apart = (hold.amount ?? 0n) - hold.estimate;
      for (const period of hold.periods) period.held += hold.apart;
    }
    for (const hold of this.holds.values()) if (this.isGone(hold)) this.free(hold);
  }

  change(budget: Terms, terms: Partial<Pick<Terms, 'limit' | 'hard'>>): void {
    Object.assign(budget, terms);
    for (const period of this.periods.values()) if (period.budget === budget && period.end > this.now) period.limit = budget.limit;
  }

  grant(budget: Terms, value: string, amount: bigint): void {
    this.period(budget, value).granted += amount;
  }

  reset(budget: Terms, value: string): void {
    Object.assign(this.period(budget, value), { spent: 0n, bookings: [] });
  }

  /** Of each period and counter that was ever asked: its figures. */
  state(): Map<string, string> {
    const figures = ({ limit, granted, spent, held }: Period) => `limit ${limit} granted ${granted} spent ${spent} held ${held}`;
    const counts = (counted: Counted[]) => {
      const { requests, tokens, open } = this.counts(counted);
      return `requests ${requests} tokens ${tokens} open ${open}`;
    };
    return new Map([
      ...[...this.periods].map(([key, period]): [string, string] => [`budget ${key}`, figures(period)]),
      ...[...this.counters].map(([key, counted]): [string, string] => [`limit ${key}`, counts(counted)]),
    ]);
  }

  openHolds(): Hold[] {
    return [...this.holds.values()].filter(({ state }) => state === 'open');
  }

  private matching<T extends { kind: string; value: string }>(all: T[], { scopes }: Call): [T, string][] {
    return all.flatMap((one) =>
      scopes.filter((s) => s.kind === one.kind && (one.value === '*' || one.value === s.value)).map((s): [T, string] => [one, s.value]),
    );
  }

  private period(budget: Terms, value: string, keep = true): Period {
    const key = this.periodKey(budget, value);
    const end = budget.seconds === null ? Number.POSITIVE_INFINITY : this.startOf(budget)! + budget.seconds;
    const period = this.periods.get(key) ?? { budget, value, end, limit: budget.limit, granted: 0n, spent: 0n, held: 0n, bookings: [] };
    if (keep) this.periods.set(key, period);
    return period;
  }

  private periodKey(budget: Terms, value: string): string {
    return [this.budgets.indexOf(budget), value, this.startOf(budget) ?? 'ever'].join(' ');
  }

  private startOf({ seconds }: Terms): number | null {
    return seconds === null ? null : this.now - (this.now % seconds);
  }

  private counterKey(rate: Rate, value: string): string {
    return `${this.rates.indexOf(rate)} ${value}`;
  }

  /** A rolling window forgets by the minute. */
  private spentIn({ budget, spent, bookings }: Period): bigint {
    if (budget.window === null) return spent;
    const recent = bookings.filter(({ at }) => at - (at % 60) + 60 + budget.window! > this.now);
    return recent.reduce((sum, { amount }) => sum + amount, 0n);
  }

  /** Within the last minute; what is open, whenever it began. */
  private counts(counted: Counted[]): { requests: number; tokens: number; open: number } {
    const recent = counted.filter(({ at }) => at > this.now - 61);
    const tokens = recent.reduce((sum, one) => sum + one.tokens, 0);
    return { requests: recent.length, tokens, open: counted.filter(({ open }) => open).length };
  }

  private limitOf(rate: Rate, counted: Counted[], tokens: number): string[] {
    const so = this.counts(counted);
    if (rate.requests !== null && so.requests + 1 > rate.requests) return ['requests'];
    if (rate.tokens !== null && so.tokens + tokens > rate.tokens) return ['tokens'];
    return rate.concurrency !== null && so.open + 1 > rate.concurrency ? ['concurrency'] : [];
  }

  private isGone({ gateway, counted }: Hold): boolean {
    return (this.gone.get(gateway) ?? Number.NEGATIVE_INFINITY) >= counted.at;
  }

  /** Nothing more is held of it. */
  private free(hold: Hold): void {
    for (const period of hold.periods) period.held -= hold.apart;
    hold.apart = 0n;
  }

  private resolve(hold: Hold, cost: bigint, tokens: number): void {
    for (const period of hold.periods) period.held -= hold.amount ?? 0n;
    Object.assign(hold.counted, { tokens, open: false });
    this.book(hold, cost);
  }

  private book({ periods }: Hold, amount: bigint): void {
    for (const period of periods) {
      period.spent += amount;
      period.bookings.push({ at: this.now, amount });
    }
  }
}

const NOTHING: Told = { cost: 0n, tokens: 0 };

const nameOf = ({ budget, value }: Period): string => `${budget.kind} ${value}`;

/** @param unspent what of the limit is not spent; holds are part of it */
function denialOf(amount: bigint | null, unspent: bigint, { held }: Period): string | null {
  if (amount === null) return 'unpriced';
  if (amount === 0n || amount <= unspent - held) return null;
  if (amount <= unspent) return 'busy';
  return unspent <= 0n ? 'exceeded' : 'too_large';
}
