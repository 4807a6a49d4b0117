import { readConfig } from './platform/config/index.js';
import { auditLedger, auditText } from './roles/audit.js';
import { describeFailure } from './roles/failure.js';
import { readFlags } from './roles/flags.js';

const HELP = `Proves that the ledger is whole. Exits with 0 when every invariant holds, else with 1.

Usage: npm run audit -- [options]

  --recent          only what is recent
  --json            print the result as JSON
  --env-file FILE   read the configuration from this file
  --help            print this
`;

/** `npm run audit`: exits with 0 when every invariant of the ledger holds, with 1 when one does not or it could not be found out. */
async function main(): Promise<void> {
  const options = {
    json: { type: 'boolean', default: false },
    recent: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false, short: 'h' },
    'env-file': { type: 'string' },
  } as const;
  const { flags } = readFlags(options);
  if (flags.help) return void process.stdout.write(HELP);
  const config = readConfig(process.env, process.cwd(), flags['env-file']);
  const audit = await auditLedger(config, flags.recent ? 'recent' : 'full');
  process.stdout.write(flags.json ? `${JSON.stringify(audit)}\n` : auditText(audit));
  process.exitCode = audit.checks.every(({ broken }) => broken === 0) ? 0 : 1;
}

main().catch((error) => {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = 1;
});
