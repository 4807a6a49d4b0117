import { parseArgs } from 'node:util';
import { readConfig } from './platform/config/index.js';
import { describeFailure } from './roles/announce.js';
import { auditLedger, auditText } from './roles/audit.js';

/** `npm run audit`: exits with 0 when every invariant of the ledger holds, with 1 when one does not or it could not be found out. */
async function main(): Promise<void> {
  const options = {
    json: { type: 'boolean', default: false },
    recent: { type: 'boolean', default: false },
    'env-file': { type: 'string' },
  } as const;
  const { values: flags } = parseArgs({ options });
  const config = readConfig(process.env, process.cwd(), flags['env-file']);
  const audit = await auditLedger(config, flags.recent ? 'recent' : 'full');
  process.stdout.write(flags.json ? `${JSON.stringify(audit)}\n` : auditText(audit));
  process.exitCode = audit.checks.every(({ broken }) => broken === 0) ? 0 : 1;
}

main().catch((error) => {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = 1;
});
