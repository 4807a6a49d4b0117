import { nameOf, passedOn, type Route } from './route.js';
import { Shelf } from './route-book.js';

const LETTERS = ['a', 'b', '/', 'hint:'];
const chosen = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;
const word = (max: number) => Array.from({ length: 1 + Math.floor(Math.random() * max) }, () => chosen(LETTERS)).join('');

const routeOf = (kind: Route['match']['kind'], value: string): Route => ({
  tenantId: null,
  id: `${kind} ${value}`,
  name: `${kind} ${value}`,
  match: { kind, value },
  targets: [],
  strategy: 'ordered',
  retries: null,
  attempts: null,
  deadlineMs: null,
  fallbackOn: null,
  when: null,
  setBy: 'tenant',
  externalId: null,
  metadata: {},
  version: 1,
  createdAt: new Date(0),
});

/** The rule, said plainly: one that matches the whole name, else the longest of those that the name begins with. */
function matching(routes: readonly Route[], name: string): Route | null {
  const whole = routes.find(({ match }) => match.kind !== 'prefix' && nameOf(match) === name);
  const begun = routes.filter(({ match }) => match.kind === 'prefix' && name.startsWith(match.value));
  return whole ?? begun.sort((a, b) => b.match.value.length - a.match.value.length)[0] ?? null;
}

test('a name matches its exact route, else the longest prefix, whatever routes there are', () => {
  for (let round = 0; round < 300; round++) {
    const values = new Map<string, Route>();
    for (let n = Math.floor(Math.random() * 20); n > 0; n--) {
      const route = routeOf(chosen(['exact', 'prefix', 'hint'] as const), word(5));
      values.set(`${route.match.kind === 'prefix'} ${nameOf(route.match)}`, route);
    }
    const routes = [...values.values()];
    const shelf = new Shelf(routes);
    for (let n = 0; n < 20; n++) {
      const name = word(7);
      expect([name, shelf.find(name)?.id]).toEqual([name, matching(routes, name)?.id]);
    }
  }
});

test.each([
  ['gpt-', 'gpt-4o', [], 'gpt-4o'],
  ['openai/', 'openai/gpt-4o', ['openai'], 'gpt-4o'],
  ['openai/gpt-', 'openai/gpt-4o', ['openai'], 'gpt-4o'],
  ['meta-llama/', 'meta-llama/llama-3/free', ['openrouter'], 'meta-llama/llama-3/free'],
])('the prefix %s passes %s on', (value, name, providers, rest) => {
  expect(passedOn(routeOf('prefix', value), name, (provider) => providers.includes(provider))).toBe(rest);
});
