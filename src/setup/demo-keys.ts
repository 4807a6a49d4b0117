import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The keys of the demo tenant, kept under `WEIR_HOME` so that each start can show them. Public ids, plain keys. */
export interface DemoKeys {
  operator_key: string;
  tenant: string;
  tenant_admin_key: string;
  project: string;
  api_key: string;
}

const fileIn = (home: string): string => join(home, 'demo.json');

export function readDemoKeys(home: string): DemoKeys | null {
  return existsSync(fileIn(home)) ? (JSON.parse(readFileSync(fileIn(home), 'utf8')) as DemoKeys) : null;
}

export function writeDemoKeys(home: string, keys: DemoKeys): void {
  mkdirSync(home, { recursive: true });
  writeFileSync(fileIn(home), `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  chmodSync(fileIn(home), 0o600);
}
