// Feeds nonsense to everything that decodes bytes from outside. `npm run fuzz -- --help`
import { parseArgs } from 'node:util';
import { type Finding, fuzz } from './fuzz.js';

const HELP = `npm run fuzz -- [options]

Changes what clients send and what providers answer, recorded where recordings lie beside the checkout, and reads it in every format.

  --minutes N    how long (1)
  --cases N      how many, instead
  --seed N       to repeat a run ($WEIR_TEST_SEED, or by the clock)
  --from N       the first case, to repeat one
  --help
`;

const FLAGS = {
  minutes: { type: 'string', default: '1' },
  cases: { type: 'string' },
  seed: { type: 'string', default: process.env['WEIR_TEST_SEED'] ?? String(Date.now() % 2 ** 31) },
  from: { type: 'string', default: '0' },
  help: { type: 'boolean', default: false },
} as const;

function main(): boolean {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help) {
    process.stdout.write(HELP);
    return true;
  }
  const seed = Number(values.seed);
  const limits = values.cases ? { cases: Number(values.cases) } : { until: Date.now() + Number(values.minutes) * 60_000 };
  process.stdout.write(`seed ${seed}\n`);
  const told = new Set<Finding>();
  const findings = fuzz(seed, { ...limits, from: Number(values.from) }, ({ cases, found }) => {
    for (const finding of found.filter((one) => !told.has(one))) {
      told.add(finding);
      process.stdout.write(`${describe(finding)}\n`);
    }
    process.stdout.write(`${cases} cases, ${found.length} findings\n`);
  });
  for (const finding of findings.found.filter((one) => !told.has(one))) process.stdout.write(`${describe(finding)}\n`);
  process.stdout.write(`${JSON.stringify({ seed, cases: findings.cases, ...findings.endings, findings: findings.found.length })}\n`);
  for (const { fault, times } of findings.found) process.stdout.write(`${times} x ${fault}\n`);
  return findings.found.length === 0;
}

function describe({ at, fault, stack, smallest }: Finding): string {
  const { request, reply, ...rest } = smallest;
  const shown = (bytes: Buffer) => {
    const text = bytes.toString('latin1');
    return JSON.stringify(text.length > 1500 ? `${text.slice(0, 1500)}… (${text.length})` : text);
  };
  const lines = stack.split('\n').slice(0, 7).join('\n');
  return `\ncase ${at}: ${fault}\n${lines}\n${JSON.stringify(rest)}\nrequest ${shown(request)}\nreply   ${shown(reply)}`;
}

process.exit(main() ? 0 : 1);
