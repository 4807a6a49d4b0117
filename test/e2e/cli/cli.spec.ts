import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROWS } from '../../../src/cli/commands.js';
import { FLAGS } from '../../../src/cli/flags.js';
import { argumentsOf, methodOf, namesOf, pathOf, platformPathOf } from '../../../src/cli/rows.js';
import { ROOT } from '../../support/process.js';
import { addUpstream, createTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

/** The command in a process of its own, without a terminal, against a real Weir. */

interface Ran {
  exit: number | null;
  stdout: string;
  stderr: string;
}

const { weir, tenant, upstream } = withWeir({ hasProvider: true });
const home = mkdtempSync(join(tmpdir(), 'weir-cli-'));
afterAll(() => rmSync(home, { recursive: true }));

function start(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  const env = { PATH: process.env['PATH']!, HOME: home, WEIR_ADMIN_URL: weir.adminUrl, ...environment };
  return spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args], { env, stdio: 'pipe', cwd: home });
}

async function run(args: readonly string[], { input = '', ...environment }: Record<string, string> = {}): Promise<Ran> {
  const child = start(args, environment);
  const ran: Ran = { exit: null, stdout: '', stderr: '' };
  child.stdout!.on('data', (chunk) => (ran.stdout += chunk));
  child.stderr!.on('data', (chunk) => (ran.stderr += chunk));
  child.stdin!.on('error', () => {}).end(input);
  ran.exit = await new Promise((resolve) => child.on('close', resolve));
  return ran;
}

/** As the tenant's admin. */
const asAdmin = (...args: string[]): Promise<Ran> => run(args, { WEIR_ADMIN_KEY: tenant.adminKey });

const ok = async (...args: string[]): Promise<string> => {
  const ran = await asAdmin(...args);
  expect({ ...ran, stdout: '' }).toEqual({ exit: 0, stdout: '', stderr: expect.any(String) });
  return ran.stdout;
};

test('the help names every command, and a newcomer finds the way to sign in', async () => {
  const { exit, stdout, stderr } = await run(['--help']);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  expect(stdout).toContain('weir login');
  for (const noun of new Set(ROWS.map(({ command }) => command.split(' ')[0]))) expect(stdout).toMatch(new RegExp(`^  ${noun} `, 'm'));
});

test('each command is a route of the admin REST, and its flags and columns are fields of it', async () => {
  const document = (await (await fetch(`${weir.adminUrl}/openapi.json`)).json()) as Document;
  const faults = ROWS.flatMap((row) =>
    [pathOf(row), platformPathOf(row)].flatMap((path, index) => (path === null ? [] : faultsOf(row, path, index === 1, document))),
  );
  expect(faults).toEqual([]);
});

test('a key is read from stdin, kept for its owner only, and forgotten', async () => {
  const login = await run(['login', '--json'], { input: `${tenant.adminKey}\n` });
  expect(JSON.parse(login.stdout)).toMatchObject({ kind: 'admin key', role: 'owner', admin_url: weir.adminUrl });
  expect(login.stdout + login.stderr).not.toContain(tenant.adminKey);
  expect(statSync(join(home, '.config/weir/config.json')).mode & 0o777).toBe(0o600);
  expect(await run(['project', 'list', '--field', 'name'])).toMatchObject({ exit: 0, stdout: 'default\n' });
  const elsewhere = await run(['whoami', '--admin-url', 'http://localhost:1']);
  expect(elsewhere).toMatchObject({ exit: 4, stderr: 'weir: nobody is signed in\nNext: weir login\n' }); // the key is not sent to another address
  expect(await run(['logout'])).toMatchObject({ exit: 0 });
  expect(await run(['project', 'list'])).toMatchObject({ exit: 4, stdout: '', stderr: expect.stringContaining('Next: weir login') });
});

test('a person signs in with a password and can read and write', async () => {
  const { token } = await tenant.admin<{ token: string }>('POST', '/v1/organization/invites', { email: 'ada@example.com', role: 'admin' });
  const accept = { token, name: 'Ada', password: 'correct horse battery' };
  await fetch(`${weir.adminUrl}/v1/invites/accept`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: weir.adminUrl },
    body: JSON.stringify(accept),
  });
  const login = await run(['login', '--profile', 'ada', '--email', 'ada@example.com'], { input: accept.password });
  expect(login).toMatchObject({ exit: 0, stdout: expect.stringContaining('kind\tperson') });
  expect(await run(['project', 'create', 'of Ada', '--profile', 'ada'])).toMatchObject({ exit: 0 });
  expect(await run(['logout', '--profile', 'ada'])).toMatchObject({ exit: 0 });
});

test('an object is created, listed, found by its name, changed and removed', async () => {
  const created = JSON.parse(
    await ok(
      'key',
      'create',
      'my app',
      '--project',
      'default',
      '--models',
      'up/test-model,up/other/model',
      '--max-output-tokens',
      '50',
      '--json',
    ),
  );
  expect(created).toMatchObject({
    name: 'my app',
    models: ['up/test-model', 'up/other/model'],
    max_output_tokens: 50,
    value: expect.stringMatching(/^weir_sk_/),
  });
  const keys = (await ok('key', 'list', '--project', 'default', '--json'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(keys.map(({ name }) => name)).toEqual(['my app', 'test']);
  expect(await ok('key', 'list', '--project', 'default')).toContain(
    `${created.id}\tmy app\t${created.redacted_value}\tup/test-model, up/other/model\t`,
  );
  await ok('key', 'update', 'my app', '--project', 'default', '--max-output-tokens', 'null', '--disabled');
  const changed = await ok('key', 'get', 'my app', '--project', 'default');
  expect(changed).toContain('\ndisabled\ttrue\n');
  expect(changed).toContain('\nmax_output_tokens\t\n');
  expect(changed).not.toContain(created.value);
  expect(await ok('key', 'revoke', created.id, '--project', 'default', '--yes', '--field', 'revoked_at')).toMatch(/^20\d\d-/);
});

test('what destroys does not ask without a terminal: it does nothing without --yes', async () => {
  const id = (await ok('budget', 'create', '--scope', 'end_user:*', '--limit', '5.00', '--period', 'day', '--field', 'id')).trim();
  const refused = await asAdmin('budget', 'delete', id);
  expect(refused).toMatchObject({ exit: 2, stdout: '', stderr: expect.stringContaining('Next: weir budget delete … --yes') });
  expect(await ok('budget', 'list')).toContain(id);
  await ok('budget', 'delete', id, '--yes');
  expect(await ok('budget', 'list')).not.toContain(id);
});

test.each<[exit: number, why: string, args: string[]]>([
  [2, 'unknown command', ['nonsense']],
  [2, 'missing: --scope', ['budget', 'create', '--limit', '1', '--period', 'day']],
  [2, 'limit', ['budget', 'create', '--scope', 'end_user:*', '--limit', 'much', '--period', 'day']],
  [3, 'there is no "nobody"', ['budget', 'get', 'nobody']],
  [3, 'call_', ['call', 'get', `call_${'0'.repeat(32)}`]],
  [4, '(forbidden)', ['tenant', 'list']],
  [7, 'cannot be reached at http://127.0.0.1:1', ['project', 'list', '--admin-url', 'http://127.0.0.1:1']],
])('the exit status is %i, and stderr says why: %s', async (exit, why, args) => {
  const ran = await asAdmin(...args);
  expect(ran).toEqual({ exit, stdout: '', stderr: expect.stringContaining('weir: ') });
  if (why !== 'call_') expect(ran.stderr).toContain(why);
});

test('to change a rule of an operator is refused', async () => {
  const operator = { WEIR_ADMIN_KEY: weir.operatorKey, WEIR_TENANT: tenant.id };
  const rule = await run(['budget', 'create', '--scope', 'end_user:*', '--limit', '7.00', '--period', 'month', '--field', 'id'], operator);
  expect(await asAdmin('budget', 'update', rule.stdout.trim(), '--limit', '8')).toMatchObject({ exit: 5, stdout: '' });
});

test('no secret is taken as an argument, and none is repeated', async () => {
  const secret = 'sk-secret-of-the-provider';
  const given = await asAdmin('provider', 'create', 'openai', '--name', 'mine', '--key', secret);
  expect(given).toMatchObject({ exit: 2, stderr: expect.stringContaining('env:NAME, file:PATH') });
  const mistyped = await asAdmin(tenant.adminKey);
  expect(mistyped.exit).toBe(2);
  expect(given.stderr + mistyped.stderr).not.toMatch(new RegExp(`${secret}|${tenant.adminKey}`));
  writeFileSync(join(home, 'key'), `${secret}\n`);
  const created = JSON.parse(
    await ok(
      'provider',
      'create',
      'openai',
      '--name',
      'mine',
      '--key',
      `file:${join(home, 'key')}`,
      '--models',
      'm',
      '--skip-check',
      '--json',
    ),
  );
  expect(created).toMatchObject({ name: 'mine', has_key: true });
});

test('an approver lists what waits, approves it, and the call passes', async () => {
  const other = await createTenant(weir);
  const admin = { WEIR_ADMIN_KEY: other.adminKey };
  await addUpstream(other, upstream.baseUrl);
  await run(['budget', 'create', '--scope', 'session:*', '--limit', '0.000001', '--period', 'lifetime', '--mode', 'approve'], admin);
  const call = (headers: Record<string, string> = {}) =>
    fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${other.apiKey}`, 'content-type': 'application/json', 'x-weir-session': 's1', ...headers },
      body: JSON.stringify({ model: 'up/test-model', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }),
    });
  expect((await call()).status).toBe(402);
  const id = (await run(['approval', 'list', '--state', 'pending', '--field', 'id'], admin)).stdout.trim();
  expect(await run(['approval', 'approve', id, '--reason', 'fine', '--field', 'state'], admin)).toMatchObject({
    exit: 0,
    stdout: 'approved\n',
  });
  expect(await run(['approval', 'reject', id], admin)).toMatchObject({ exit: 6, stderr: expect.stringContaining('(approval_decided)') });
  expect((await call({ 'x-weir-approval': id })).status).toBe(200);

  const metrics = await run(['metrics', 's1', '--breakdown'], admin);
  expect(metrics.stdout).toMatch(
    /^s1\n {2}Calls: 1\n {2}Tokens: in=\d+ out=\d+ total=\d+\n {2}Cache: read=\d+ write=\d+\n {2}Cost: \$\d+\.\d{6}\nup\/test-model-2026\n/,
  );
  const costs = await run(['costs', '--by', 'model', '--since', '1d'], admin);
  expect(costs.stdout).toContain('\tup/test-model');
  expect((await run(['audit', 'list', '--event-types', 'approval.updated', '--field', 'type'], admin)).exit).toBe(0);
});

test('calls are told as they end', async () => {
  const tail = start(['call', 'tail', '--field', 'requested_model'], { WEIR_ADMIN_KEY: tenant.adminKey });
  const told = new Promise((resolve) => tail.stdout!.once('data', (chunk) => resolve(String(chunk))));
  const call = () => tenant.openai.chat.completions.create({ model: 'up/test-model', messages: [{ role: 'user', content: 'hi' }] });
  const calling = setInterval(() => call().catch(() => {}), 500);
  try {
    expect(await told).toMatch(/^up\/test-model\n/);
  } finally {
    clearInterval(calling);
    tail.kill('SIGKILL');
  }
});

test('the doctor says what is wrong and what to do', async () => {
  const well = await asAdmin('doctor', '--json');
  const checks = well.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(checks).toContainEqual({ check: 'sign-in', state: 'ok', found: 'Weir takes it', todo: '' });
  const away = await asAdmin('doctor', '--admin-url', 'http://127.0.0.1:1');
  expect(away).toMatchObject({ exit: 1, stdout: expect.stringMatching(/^bad\tadmin API\t.*\tstart Weir with `npm start`/) });
  writeFileSync(join(home, 'weir.env'), 'WEIR_PUBLIC_PROT=1\n');
  const wrong = await asAdmin('doctor', '--env-file', join(home, 'weir.env'));
  expect(wrong.stdout).toMatch(/^bad\tconfiguration\tWEIR_PUBLIC_PROT is not a variable of Weir/);
});

test('any request can be sent, and its answer comes as it is', async () => {
  expect(JSON.parse(await ok('api', 'POST', '/v1/organization/settings', '--body', '{"keep_answers": false}'))).toMatchObject({
    keep_answers: false,
  });
  expect(await asAdmin('api', 'GET', '/v1/nothing')).toMatchObject({ exit: 3, stdout: expect.stringContaining('"not_found"') });
});

test('the variables for SDKs can be evaluated, whatever the key has in it', async () => {
  const { stdout } = await run(['env', '--url', 'https://llm.example.com/', '--key', 'env:MINE'], { MINE: "it's $(secret)" });
  const shown = execFileSync('bash', ['-c', `${stdout}\nprintf '%s|' "$OPENAI_BASE_URL" "$OPENAI_API_KEY" "$ANTHROPIC_BASE_URL"`], {
    encoding: 'utf8',
  });
  expect(shown).toBe("https://llm.example.com/v1|it's $(secret)|https://llm.example.com|");
});

test('bash completes nouns, verbs and flags', async () => {
  const script = join(home, 'completion.bash');
  writeFileSync(script, (await run(['completion', 'bash'])).stdout);
  const complete = (...words: string[]): string[] =>
    execFileSync(
      'bash',
      ['-c', `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; echo "\${COMPREPLY[@]}"`, script, 'weir', ...words],
      { encoding: 'utf8' },
    )
      .trim()
      .split(' ');
  expect(complete('budg')).toEqual(['budget']);
  expect(complete('budget', 'gr')).toEqual(['grant', 'grants']);
  expect(complete('budget', 'grant', 'bud_1', '--rea')).toEqual(['--reason']);
  expect(complete('--json', 'key', 'cr')).toEqual(['create']);
  for (const shell of ['zsh', 'fish']) expect((await run(['completion', shell])).stdout).toContain('approve');
});

test('the package has the command, and what it reads', () => {
  const { bin, files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect({ bin, files }).toMatchObject({ bin: { weir: 'dist/cli.js' }, files: expect.arrayContaining(['dist']) });
  expect(execFileSync(join(ROOT, 'node_modules/.bin/weir'), ['version'], { encoding: 'utf8' })).toMatch(/^weir \d/);
});

// --- the OpenAPI document

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
}
interface Operation {
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const JSON_TYPE = 'application/json';

function faultsOf(row: (typeof ROWS)[number], path: string, isPlatform: boolean, document: Document): string[] {
  const operation = Object.entries(document.paths).find(([other]) => shape(other) === shape(path))?.[1][methodOf(row).toLowerCase()];
  // What a tenant has, the platform need not have.
  if (operation === undefined) return isPlatform ? [] : [`${row.command}: there is no ${methodOf(row)} ${path}`];
  const query = (operation.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => name);
  const body = fields(operation.requestBody?.content[JSON_TYPE]?.schema, document);
  const known = methodOf(row) === 'GET' ? query : body;
  const names = namesOf(`${row.args ?? ''} ${row.flags ?? ''}`).filter(({ name }) => isPlatform || !FLAGS[name]?.platform);
  const strays = names.filter(({ name }) => !isPlatform && !known.includes(FLAGS[name]?.field ?? name.replaceAll('-', '_')));
  const answer = Object.entries(operation.responses).find(([status]) => status.startsWith('2'))![1].content?.[JSON_TYPE]?.schema;
  const item = resolve(resolve(answer, document)?.properties?.['data'], document)?.items;
  const columns = (row.columns ?? '').split(' ').filter((column) => column && !fields(item, document).includes(column.split('.')[0]!));
  const isPaged = row.columns !== undefined && !row.whole;
  return [
    ...strays.map(({ name }) => `${row.command}: --${name} is no field of ${path}`),
    ...columns.map((column) => `${row.command}: ${column} is not in the answer`),
    ...(isPaged && !query.includes('after') ? [`${row.command}: ${path} has no pages`] : []),
    ...(argumentsOf(row).length > 2 ? [`${row.command}: too many arguments`] : []),
  ];
}

const shape = (path: string): string => path.replaceAll(/\{\w+\}/g, '{}');

function resolve(schema: Schema | undefined, document: Document): Schema | undefined {
  return schema?.$ref ? resolve(document.components.schemas[schema.$ref.split('/').at(-1)!], document) : schema;
}

function fields(schema: Schema | undefined, document: Document): string[] {
  const found = resolve(schema, document);
  const parts = [...(found?.anyOf ?? []), ...(found?.oneOf ?? [])].flatMap((part) => fields(part, document));
  return [...Object.keys(found?.properties ?? {}), ...parts];
}
