import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, readConfig } from './index.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-rules-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

const read = (rules: unknown, environment: NodeJS.ProcessEnv = {}) => {
  writeFileSync(join(directory, 'rules.json'), typeof rules === 'string' ? rules : JSON.stringify(rules));
  return readConfig({ WEIR_MODEL_RULES: 'rules.json', ...environment }, directory);
};

function faultsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map((fault) => fault.replaceAll(directory, '.'));
    throw error;
  }
  return [];
}

test('there are no rules without the variable', () => expect(readConfig({}, directory).modelRules).toEqual([]));

test('the file is found beside the other configuration, and its order is kept', () => {
  const rules = [
    { match: 'claude-opus-6-mini', treat_as: 'claude-haiku-5-5' },
    { match: 'claude-opus-6*', treat_as: 'claude-opus-5-5' },
  ];
  expect(read(rules).modelRules).toEqual([
    { match: 'claude-opus-6-mini', treatAs: 'claude-haiku-5-5' },
    { match: 'claude-opus-6*', treatAs: 'claude-opus-5-5' },
  ]);
});

test('all faults are reported together, with those of other variables', () => {
  const rules = [{ match: 'a*b', treat_as: '' }, { match: 'a' }, { match: 'a', treat_as: 'b', quirks: {} }, 'a'];
  expect(faultsOf(() => read(rules, { WEIR_PUBLIC_PORT: 'x' }))).toEqual([
    'WEIR_PUBLIC_PORT must be a port number, from 0 to 65535',
    'WEIR_MODEL_RULES: ./rules.json 0 match may have a * at its end only',
    'WEIR_MODEL_RULES: ./rules.json 0 treat_as must not be empty',
    'WEIR_MODEL_RULES: ./rules.json 1 treat_as must be a string',
    'WEIR_MODEL_RULES: ./rules.json 2 has no field quirks',
    'WEIR_MODEL_RULES: ./rules.json 3 must be an object',
  ]);
});

test.each([
  ['{}', 'WEIR_MODEL_RULES: ./rules.json must be a list'],
  ['[', 'WEIR_MODEL_RULES is no JSON: ./rules.json'],
])('%s is refused', (text, fault) => expect(faultsOf(() => read(text))).toEqual([fault]));

test('a file that is not there is refused', () =>
  expect(faultsOf(() => readConfig({ WEIR_MODEL_RULES: 'none.json' }, directory))).toEqual([
    'WEIR_MODEL_RULES names a file that cannot be read: ./none.json',
  ]));
