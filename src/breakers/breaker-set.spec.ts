import fc from 'fast-check';
import { BreakerSet, type BreakerState, type BreakerTarget, type Went } from './breaker-set.js';
import type { BreakerScope, OpenBreaker } from './open-breaker.js';

const UP: BreakerTarget = { providerId: 'p', type: 'openai', model: 'm', credential: { id: 'c' }, subscription: null, lent: false };
const LENT: BreakerTarget = { ...UP, lent: true };
const SCOPE: BreakerScope = { providerId: 'p', type: 'openai', model: 'm', credentialId: 'c', tenantId: 't' };
const TROUBLE = { reason: 'failed 5 times in a row, last: upstream_error (500)', failures: 5 };

/** A set with a clock that stands until it is moved. */
function rig({ enough = 5, random = 0 } = {}) {
  let now = 1_000_000;
  const changes: BreakerState[] = [];
  const told: { to: BreakerState; breaker: OpenBreaker; openForMs: number }[] = [];
  const set = new BreakerSet(
    enough,
    (to, breaker) => {
      changes.push(to);
      told.push({ to, breaker, openForMs: breaker.openForMs(now) });
    },
    () => now,
    () => random,
  );
  const begin = (target = UP, tenant = 't'): object | null => {
    if (set.find(target, tenant) !== null) return null;
    const attempt = {};
    set.begin(target, tenant, attempt);
    return attempt;
  };
  /** False: it was not made. */
  const attempt = (went: Went, target = UP, tenant = 't'): boolean => {
    const begun = begin(target, tenant);
    if (begun) set.end(target, tenant, begun, went, 'upstream_error (500)');
    return begun !== null;
  };
  return {
    set,
    changes,
    told,
    begin,
    attempt,
    times: (count: number, went: Went, target = UP, tenant = 't') => Array.from({ length: count }, () => attempt(went, target, tenant)),
    /** Ms to wait; null: nothing stops a call. */
    wait: (target = UP, tenant = 't') => set.find(target, tenant)?.waitMs ?? null,
    reason: (target = UP, tenant = 't') => set.find(target, tenant)?.trouble.reason,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('five failures in a row open it for five seconds, four do not', () => {
  const { times, wait, reason, pass, begin, changes } = rig();
  expect(times(4, 'failed')).not.toContain(false);
  expect(wait()).toBeNull();
  times(1, 'failed');
  expect(reason()).toBe('failed 5 times in a row, last: upstream_error (500)');
  expect(wait()).toBe(5_000);
  pass(4_999);
  expect(begin()).toBeNull();
  pass(1);
  expect(begin()).not.toBeNull();
  expect(changes).toEqual(['open', 'half_open']);
});

test('half of at least five attempts within ten seconds open it; older ones do not count', () => {
  const { attempt, wait, reason, pass } = rig();
  for (const went of ['served', 'failed', 'served', 'failed'] as const) attempt(went);
  pass(11_000);
  for (const went of ['served', 'failed', 'served', 'failed'] as const) attempt(went);
  expect(wait()).toBeNull();
  attempt('failed');
  expect(reason()).toBe('failed 3 of 5 times within 10 s, last: upstream_error (500)');
});

test('many answers before a few failures keep it closed', () => {
  const { times, wait } = rig();
  times(20, 'served');
  for (let n = 0; n < 4; n++) times(4, 'failed') && times(4, 'served');
  expect(wait()).toBeNull();
});

test('what says nothing of the target opens nothing, and breaks no row of failures', () => {
  const { times, wait } = rig();
  times(100, 'neither');
  times(4, 'failed');
  times(100, 'neither');
  expect(wait()).toBeNull();
  times(1, 'failed');
  expect(wait()).not.toBeNull();
});

test('half-open it is tried by one attempt at a time, one a second, and closes when one is served', () => {
  const { set, times, begin, wait, pass, changes } = rig();
  times(5, 'failed');
  pass(5_000);
  const trial = begin()!;
  expect(begin()).toBeNull();
  pass(1_000);
  expect(begin()).toBeNull();
  set.end(UP, 't', trial, 'neither', '');
  const next = begin()!;
  expect(begin()).toBeNull();
  set.answers(UP, 't', next);
  expect(wait()).toBeNull();
  expect(changes).toEqual(['open', 'half_open', 'half_open', 'closed']);
});

test('a trial that is not over after ten seconds keeps no other from being made', () => {
  const { times, begin, pass } = rig();
  times(5, 'failed');
  pass(5_000);
  begin();
  pass(9_999);
  expect(begin()).toBeNull();
  pass(1);
  expect(begin()).not.toBeNull();
});

test.each([0, 1])('each trial that fails doubles the time, up to a minute, less a jitter (random %d)', (random) => {
  const { times, attempt, wait, pass } = rig({ random });
  times(5, 'failed');
  const waits = Array.from({ length: 6 }, () => {
    const ms = wait()!;
    pass(ms);
    expect(attempt('failed')).toBe(true);
    return ms;
  });
  expect(waits).toEqual([5, 10, 20, 40, 60, 60].map((seconds, n) => seconds * 1000 * (n === 0 ? 1 : 1 - 0.2 * random)));
});

test('what began before it opened decides nothing', () => {
  const { set, times, begin, wait, pass } = rig();
  const [early, late] = [begin()!, begin()!];
  times(5, 'failed');
  set.end(UP, 't', early, 'served', '');
  expect(wait()).toBe(5_000);
  pass(5_000);
  set.end(UP, 't', late, 'failed', 'x');
  expect(wait()).toBeNull();
});

test('models, keys and tenants have breakers of their own', () => {
  const { times, wait } = rig();
  times(5, 'failed');
  expect(wait({ ...UP, model: 'other' })).toBeNull();
  expect(wait({ ...UP, credential: { id: 'other' } })).toBeNull();
  expect(wait({ ...UP, credential: null })).toBeNull();
  expect(wait(UP, 'other')).toBeNull();
  expect(wait()).toBe(5_000);
});

test('a lent target is left alone for the tenant whose calls fail, and for all once it fails so for two', () => {
  const { attempt, times, wait, pass, told } = rig();
  times(50, 'failed', LENT, 'a');
  expect([wait(LENT, 'a'), wait(LENT, 'b'), wait(LENT, 'c')]).toEqual([5_000, null, null]);
  times(5, 'failed', LENT, 'b');
  expect([wait(LENT, 'a'), wait(LENT, 'b'), wait(LENT, 'c')]).toEqual([5_000, 5_000, 5_000]);
  expect(told.map(({ breaker }) => breaker.scope.tenantId)).toEqual(['a', 'b', null]);
  pass(5_000);
  expect(attempt('served', LENT, 'c')).toBe(true);
  expect(wait(LENT, 'd')).toBeNull();
});

test('what another process opened is open here for the time that is left, and is not told again', () => {
  const { set, wait, changes, pass, attempt } = rig();
  set.hearOpened(SCOPE, TROUBLE, 3_000);
  expect([wait(), changes]).toEqual([3_000, []]);
  set.hearOpened(SCOPE, TROUBLE, 1_000);
  expect(wait()).toBe(3_000);
  pass(3_000);
  attempt('failed');
  expect(wait()).toBe(6_000);
});

test('what another process closed is tried at once', () => {
  const { set, times, wait, attempt } = rig();
  times(5, 'failed');
  set.hearClosed(SCOPE);
  expect(wait()).toBeNull();
  attempt('failed');
  expect(wait()).toBe(10_000);
});

test('a process that is answered does not follow one that is not, for a minute', () => {
  const { set, wait, attempt, pass } = rig();
  set.hearOpened(SCOPE, TROUBLE, 3_000);
  pass(3_000);
  attempt('served');
  set.hearOpened(SCOPE, TROUBLE, 60_000);
  expect(wait()).toBeNull();
  pass(60_000);
  set.hearOpened(SCOPE, TROUBLE, 5_000);
  expect(wait()).toBe(5_000);
});

test('with 0 nothing opens', () => {
  const { set, times, wait } = rig({ enough: 0 });
  times(50, 'failed');
  set.hearOpened(SCOPE, TROUBLE, 3_000);
  expect([wait(), set.size]).toEqual([null, 0]);
});

test('targets without trouble are forgotten, and there is a bound for those with', () => {
  const { set, attempt, times, pass, wait } = rig();
  for (let n = 0; n < 50_000; n++) attempt('failed', { ...UP, model: `m${n}` });
  expect(set.size).toBeLessThanOrEqual(20_000);
  for (let n = 0; n < 15_000; n++) times(5, 'failed', { ...UP, model: `m${n}` });
  expect(set.size).toBeLessThanOrEqual(30_000);
  expect(wait({ ...UP, model: 'm14999' })).toBe(5_000);
  pass(700_000);
  attempt('served');
  expect(set.size).toBe(1);
  expect(set.openByType()).toEqual(new Map());
});

type Step = { do: 'begin' } | { do: 'end'; which: number; went: Went } | { do: 'wait'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: 'begin' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      which: fc.nat(5),
      went: fc.oneof(
        { weight: 5, arbitrary: fc.constant('failed' as const) },
        { weight: 3, arbitrary: fc.constant('served' as const) },
        { weight: 1, arbitrary: fc.constant('neither' as const) },
      ),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.oneof(fc.nat(1_500), fc.nat(70_000)) }) },
);

/** What a breaker does, from the whole history, in plain words. */
class Model {
  now = 1_000_000;
  /** Since it was closed last. */
  private history: { at: number; failed: boolean }[] = [];
  private openUntil: number | null = null;
  private openMs = 0;
  private trial: { attempt: object | null; at: number } | null = null;

  get mayBegin(): boolean {
    if (this.openUntil === null) return true;
    if (this.now < this.openUntil) return false;
    return this.trial === null || this.now - this.trial.at >= (this.trial.attempt ? 10_000 : 1_000);
  }

  begun(attempt: object): void {
    if (this.openUntil !== null) this.trial = { attempt, at: this.now };
  }

  ended(attempt: object, went: Went): void {
    if (this.openUntil !== null) {
      if (this.trial?.attempt !== attempt) return;
      if (went === 'served') {
        this.openUntil = null;
        this.trial = null;
        this.history = [];
      } else {
        this.trial = { attempt: null, at: this.trial.at };
        if (went === 'failed') this.openFor(Math.min(60_000, this.openMs * 2));
      }
      return;
    }
    if (went === 'neither') return;
    this.history.push({ at: this.now, failed: went === 'failed' });
    const second = Math.floor(this.now / 1000);
    const recent = this.history.filter(({ at }) => Math.floor(at / 1000) > second - 10);
    const failures = recent.filter(({ failed }) => failed).length;
    const inARow = this.history.length >= 5 && this.history.slice(-5).every(({ failed }) => failed);
    const tooMany = recent.length >= 5 && failures * 2 >= recent.length;
    if (went === 'failed' && (inARow || tooMany)) this.openFor(5_000);
  }

  private openFor(ms: number): void {
    this.openMs = ms;
    this.openUntil = this.now + ms;
  }
}

test('whatever happens in whatever order, it lets through what a model of it in plain words does', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 200, size: 'max' }), (steps) => {
      const { set, begin, pass } = rig();
      const model = new Model();
      const running: object[] = [];
      for (const one of steps) {
        if (one.do === 'wait') {
          pass(one.ms);
          model.now += one.ms;
        } else if (one.do === 'begin') {
          const { mayBegin } = model;
          const attempt = begin();
          expect(attempt !== null).toBe(mayBegin);
          if (attempt === null) continue;
          model.begun(attempt);
          running.push(attempt);
        } else if (running.length > 0) {
          const [attempt] = running.splice(one.which % running.length, 1);
          set.end(UP, 't', attempt!, one.went, 'x');
          model.ended(attempt!, one.went);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});
