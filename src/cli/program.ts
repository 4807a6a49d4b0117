import { Command, CommanderError, Option } from 'commander';
import { requestAnything } from './api.js';
import { tailCalls } from './calls.js';
import { Client } from './client.js';
import { NOUNS, ROWS, type Row } from './commands.js';
import { completionScript, SHELLS } from './completion.js';
import { diagnose } from './doctor.js';
import { printExports } from './exports.js';
import { EXIT, type Exit, Failure, UsageFailure } from './failure.js';
import { FLAGS, isSwitch } from './flags.js';
import { printMetrics } from './metrics.js';
import { plain, printItem, printList, redact } from './output.js';
import { argumentsOf, collect, fieldsOf, type Given, inProject, methodOf, namesOf, placeOf, platformPathOf } from './rows.js';
import type { Session } from './session.js';
import { chooseProfile } from './settings.js';
import { logIn, logOut, showStatus, whoAmI } from './sign-in.js';
import { printSums } from './sums.js';
import { confirm } from './terminal.js';

const DEFAULT_LIMIT = 100;

const DESCRIPTION = `Administers Weir, a gateway for LLM inference.

It asks the admin REST. Say once where that is and who you are:

  weir login
  weir status

Then, for example:

  weir project list
  weir key create "my app"
  weir budget create --scope 'end_user:*' --limit 5.00 --period day
  weir costs --by model --since 7d`;

const EPILOGUE = `
Results are on stdout, everything else on stderr. On a terminal a list is a table; in a pipe, values with tabs between them;
with --json, JSON: a line for each item of a list.

Variables: WEIR_ADMIN_URL, WEIR_ADMIN_KEY, WEIR_TENANT, NO_COLOR
Exit status: 0 ok, 1 error, 2 usage, 3 not found, 4 not signed in or not allowed, 5 refused by a rule or a budget, 6 conflict, 7 unavailable`;

const AFTER_ROWS = `
An object may be given by its name, its external id or its id. The word null takes a value away.
Where a command takes a key, write env:NAME, file:PATH, or - for stdin.`;

/** Runs one command. Resolves with its exit status; what went wrong has been written to stderr. */
export async function run(argv: readonly string[], version: string, env: NodeJS.ProcessEnv): Promise<Exit> {
  const program = buildProgram(version, env);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage; // it has said what is wrong
    const failure = error instanceof Failure ? error : new Failure((error as Error).message, EXIT.error);
    tell(failure, argv.includes('--json'));
    return failure.exit;
  }
}

function tell({ message, next, exit, answer }: Failure, asJson: boolean): void {
  const text = redact(plain(message));
  const line = asJson
    ? JSON.stringify({ error: { ...answer, message: text, next, exit } })
    : next === null
      ? `weir: ${text}`
      : `weir: ${text}\nNext: ${next}`;
  process.stderr.write(`${line}\n`);
}

function buildProgram(version: string, env: NodeJS.ProcessEnv): Command {
  const program = new Command('weir')
    .description(DESCRIPTION)
    .usage('<command> [options]')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeErr: (text) => process.stderr.write(redact(text)),
      outputError: (text, write) => write(text.replace(/^error:/, 'weir:')),
    })
    .showHelpAfterError('Add --help to see how it is used.')
    .addHelpText('after', EPILOGUE)
    .exitOverride()
    .option('--json', 'print JSON')
    .option('--field <name>', 'print this field only')
    .option('--profile <name>', 'a sign-in that was kept under this name')
    .option('--admin-url <url>', 'the address of the admin REST')
    .option('--tenant <id>', 'the tenant to act in, for operators')
    .option('-y, --yes', 'do not ask before something is destroyed');
  const session = (): Session => sessionOf(program, env);

  program.commandsGroup('Sign in:');
  program
    .command('login')
    .description('Keep an admin key, or sign in with a password. The key or password is asked for, or read from stdin.')
    .option('--email <address>', 'sign in as a person, instead of with a key')
    .option('--organization <id>', 'the tenant that is meant, where the address belongs to several')
    .action((options) => logIn(sessionOf(program, env, true), options));
  program
    .command('logout')
    .description('Forget the sign-in of the profile.')
    .action(() => logOut(session()));
  program
    .command('whoami')
    .description('Show who is signed in, and where.')
    .action(() => whoAmI(session()));
  program
    .command('status')
    .description('Show whether Weir is ready, and what is not.')
    .action(() => showStatus(session()));
  program
    .command('doctor')
    .description('Look for what is wrong, and say what to do.')
    .option('--config', 'check the configuration of this directory and environment too')
    .option('--env-file <file>', 'as that of `npm start`, with --config')
    .action((options) => diagnose(session(), version, options));

  program.commandsGroup('Money and use:');
  for (const what of ['usage', 'costs'] as const)
    program
      .command(what)
      .description(what === 'usage' ? 'Sum up tokens and calls over time.' : 'Sum up costs over time.')
      .option('--by <field>', 'model, project or key')
      .option('--since <time>', 'a date, Unix seconds, or how long ago', '30d')
      .option('--until <time>', 'absent: now')
      .option('--bucket <width>', '1m, 1h or 1d', '1d')
      .action((options) => printSums(session(), what, options));
  program
    .command('metrics <call-or-session>')
    .description('Show tokens, cache and cost of a call or of a session.')
    .option('--breakdown', 'by model, too')
    .action((id, options) => printMetrics(session(), id, options.breakdown === true));

  program.commandsGroup('Objects:');
  for (const [noun, does] of Object.entries(NOUNS)) {
    const command = program.command(noun).description(does).helpCommand(false).addHelpText('after', AFTER_ROWS);
    for (const row of ROWS.filter((one) => one.command.startsWith(`${noun} `))) addRow(command, row, session, env);
    if (noun === 'call')
      command
        .command('tail')
        .description('Print calls as they end, until Ctrl-C.')
        .action(() => tailCalls(session()));
  }

  program.commandsGroup('Other:');
  program
    .command('env')
    .description('Print the variables that lead SDKs and coding agents to Weir: eval "$(weir env)"')
    .option('--url <url>', 'the address for calls', 'http://127.0.0.1:8080')
    .option('--key <place>', 'the API key: env:NAME, file:PATH, or - for stdin; absent: WEIR_API_KEY')
    .addOption(new Option('--shell <name>', 'the shell').choices(SHELLS).default('bash'))
    .action((options) => printExports(options, env));
  program
    .command('api <method> <path>')
    .description('Send any request of the admin REST, such as: weir api GET /v1/organization/budgets')
    .option('--body <json>', 'JSON, @FILE, or - for stdin')
    .action((method, path, options) => requestAnything(session(), method, path, options.body));
  program
    .command('completion <shell>')
    .description(`Print what completes commands in a shell: ${SHELLS.join(', ')}.`)
    .action((shell) => void process.stdout.write(completionScript(program, shell)));
  program
    .command('version')
    .description('Print the version.')
    .action(() => void process.stdout.write(`weir ${version}\n`));
  return program;
}

function addRow(noun: Command, row: Row, session: () => Session, env: NodeJS.ProcessEnv): void {
  const command = noun.command(row.command.split(' ')[1]!).description(row.does);
  const words = argumentsOf(row).map((name) => name.replace(/_id$/, '').replaceAll('_', '-'));
  const args = namesOf(row.args).map(({ name }) => name);
  for (const word of words) command.argument(`<${word}>`, 'its id or its name');
  for (const name of args) command.argument(`[${name}]`, FLAGS[name]!.does);
  // Commander names options in its own way.
  const byAttribute = new Map<string, string>();
  const offer = (flags: string, does: string, name: string): void => {
    const option = new Option(flags, does);
    byAttribute.set(option.attributeName(), name);
    command.addOption(option);
  };
  for (const { name } of namesOf(`${row.flags ?? ''} ${row.args ?? ''}`)) {
    offer(isSwitch(name) ? `--${name}` : `--${name} <value>`, FLAGS[name]!.does, name);
    if (FLAGS[name]!.kind === 'switch') command.addOption(new Option(`--no-${name}`).hideHelp());
  }
  if (inProject(row)) offer('--project <project>', 'its id or its name; absent: the only one', 'project');
  if (platformPathOf(row) !== null) offer('--platform', 'what belongs to the platform, instead of a tenant (operators)', 'platform');
  if (methodOf(row) !== 'GET' && methodOf(row) !== 'DELETE')
    offer('--body <json>', 'further fields of the request: JSON, @FILE, or - for stdin', 'body');
  if (row.columns !== undefined && !row.whole) offer('--limit <count>', `most items to print (${DEFAULT_LIMIT})`, 'limit');
  command.action(async (...given: unknown[]) => {
    const positionals = given.slice(0, words.length + args.length) as (string | undefined)[];
    const named = Object.entries(command.opts()).map(([attribute, value]) => [byAttribute.get(attribute)!, value]);
    const asArguments = args.map((name, index) => [name, positionals[words.length + index]]).filter(([, value]) => value !== undefined);
    await runRow(
      row,
      positionals.slice(0, words.length) as string[],
      Object.fromEntries([...named, ...asArguments]) as Given,
      session(),
      env,
    );
  });
}

async function runRow(row: Row, words: readonly string[], given: Given, session: Session, env: NodeJS.ProcessEnv): Promise<void> {
  const fields = fieldsOf(row, given, env);
  if (row.destroys && !session.isSure) await confirm(`${row.does} ${words.join(' ')}`.trim(), `weir ${row.command}`);
  const path = await placeOf(row, words, given, session.client);
  const columns = row.columns?.split(' ');
  const method = methodOf(row);
  if (columns === undefined) {
    const isRead = method === 'GET';
    const hasBody = method !== 'DELETE' && !isRead && Object.keys(fields).length > 0;
    const item = await session.client.request(method, path, isRead ? { query: fields } : { body: hasBody ? fields : undefined });
    return printItem(item, session.form);
  }
  if (row.whole) return printList((await session.client.request(method, path, { query: fields }))['data'] as never, columns, session.form);
  const limit = limitOf(given['limit']);
  const { items, hasMore } = await collect(session.client, path, fields, limit);
  printList(items, columns, session.form);
  if (hasMore) process.stderr.write(`weir: there are more than ${limit}; --limit ${limit * 10} prints more\n`);
}

function limitOf(given: string | boolean | undefined): number {
  if (given === undefined) return DEFAULT_LIMIT;
  const limit = Number(given);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageFailure('--limit is no number above zero');
  return limit;
}

function sessionOf(program: Command, env: NodeJS.ProcessEnv, isNew = false): Session {
  const options = program.opts();
  const choice = { profile: options['profile'], adminUrl: options['adminUrl'], tenant: options['tenant'], isNew };
  const out = process.stdout;
  const form = {
    json: options['json'] === true,
    field: options['field'],
    out,
    color: out.isTTY === true && !env['NO_COLOR'],
  };
  return { client: new Client(chooseProfile(env, choice)), form, env, choice, isSure: options['yes'] === true };
}
