import type { WeirError } from '../kernel/errors.js';
import { SignInThrottle } from './sign-in-throttle.js';

let throttle: SignInThrottle;
beforeEach(() => {
  jest.useFakeTimers();
  throttle = new SignInThrottle();
});
afterEach(() => jest.useRealTimers());

/** Null: the try may be made. Else seconds to wait. */
function wait(address: string, account: string, device: string | null = null): number | null {
  try {
    throttle.attempt(address, account, device);
    return null;
  } catch (error) {
    expect((error as WeirError).code).toBe('too_many_sign_ins');
    return (error as WeirError).retryAfterSeconds!;
  }
}
const seconds = (count: number) => jest.advanceTimersByTime(count * 1000);
let addresses = 0;
const stranger = () => `198.51.${++addresses >> 8}.${addresses & 255}`;

test('an account is tried ten times at once, by whatever addresses; then the delay doubles, up to a minute', () => {
  for (let tried = 0; tried < 10; tried++) expect(wait(stranger(), 'ada')).toBeNull();
  const delays = Array.from({ length: 9 }, () => {
    const delay = wait(stranger(), 'ada')!;
    seconds(delay);
    expect(wait(stranger(), 'ada')).toBeNull();
    return delay;
  });
  expect(delays).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(wait(stranger(), 'bob')).toBeNull();
});

test('an address tries twenty times at once, at whatever accounts; a success takes back only its own try', () => {
  for (let tried = 0; tried < 20; tried++) expect(wait('203.0.113.1', `account-${tried}`)).toBeNull();
  expect(wait('203.0.113.1', 'another')).toBe(1);
  seconds(1);
  const succeed = throttle.attempt('203.0.113.1', 'own', null);
  succeed();
  expect(wait('203.0.113.1', 'another')).toBeNull();
  expect(wait('203.0.113.1', 'another')).toBe(2);
});

test('whatever strangers try, who is on a known device is not slowed down, and its own failures count there only', () => {
  for (let tried = 0; tried < 10; tried++) wait(stranger(), 'ada');
  expect(wait(stranger(), 'ada')).toBe(1);
  for (let tried = 0; tried < 10; tried++) expect(wait(stranger(), 'ada', 'laptop')).toBeNull();
  expect(wait(stranger(), 'ada', 'laptop')).toBe(1);
  expect(wait(stranger(), 'ada', 'phone')).toBeNull();
});

test('a success forgets the failures of an account, and so does a day', () => {
  for (let tried = 0; tried < 9; tried++) wait(stranger(), 'ada');
  throttle.attempt(stranger(), 'ada', null)();
  for (let tried = 0; tried < 10; tried++) expect(wait(stranger(), 'ada')).toBeNull();
  seconds(24 * 3600 + 1);
  for (let tried = 0; tried < 10; tried++) expect(wait(stranger(), 'ada')).toBeNull();
});
