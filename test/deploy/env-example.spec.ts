import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { readConfig } from '../../src/platform/config/index.js';
import { CATALOG } from '../../src/providers/index.js';

const ROOT = path.resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** The variables as the schema names them. */
const variables = [...new Set([...read('src/platform/config/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name]) => name!))];
const providerKeys = new Set(CATALOG.flatMap(({ envKeys, environment }) => [...envKeys, ...(environment?.names ?? [])]));
const OF_COMPOSE = ['POSTGRES_PASSWORD'];

const example = parseEnv(read('.env.example').replace(/^#(?=[A-Z][A-Z0-9_]*=)/gm, ''));

test('.env.example has every variable there is, and no other', () => {
  expect(variables.length).toBeGreaterThan(15);
  expect(Object.keys(example).sort()).toEqual([...variables, ...providerKeys, ...OF_COMPOSE].sort());
});

test('.env.example sets nothing as it stands', () => {
  expect(parseEnv(read('.env.example'))).toEqual({});
});

test('what .env.example shows as defaults are the defaults', () => {
  const { DATABASE_URL, REDIS_URL, WEIR_EGRESS_ALLOW, OTEL_EXPORTER_OTLP_ENDPOINT, ...shown } = example;
  const { environment: _shown, ...config } = readConfig(shown, tmpdir());
  const { environment: _none, ...defaults } = readConfig({}, tmpdir());
  expect([DATABASE_URL, REDIS_URL, WEIR_EGRESS_ALLOW, OTEL_EXPORTER_OTLP_ENDPOINT].every((text) => text)).toBe(true);
  expect(config).toEqual(defaults);
  expect(() => readConfig(example, tmpdir())).not.toThrow();
});

test('the table in docs/configuration.md has every variable', () => {
  const rows = [...read('docs/configuration.md').matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name!);
  expect([...rows].sort()).toEqual([...variables].sort());
});
