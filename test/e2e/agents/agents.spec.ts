import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brokenInvariants } from '../../support/ledger.js';
import { testsIfThere } from '../../support/needs.js';
import { chunk, delta, type Script, ScriptedUpstream } from '../../support/upstream.js';
import { addUpstream, createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

/**
 * Where the agents' command lines are installed, by hand: `npm install @anthropic-ai/claude-code @openai/codex`, and for aider
 * `python3 -m venv . && bin/pip install aider-chat`. They are large, so they are no dependency of this project.
 */
const AGENTS = process.env.WEIR_TEST_AGENTS;
const binary = (name: string) => join(AGENTS ?? '', 'node_modules', '.bin', name);
const aider = join(AGENTS ?? '', 'bin', 'aider');
const present = AGENTS !== undefined && existsSync(binary('claude')) && existsSync(binary('codex'));

const TASK = 'Run the shell command "echo weir-works" and tell me what it printed.';
const COMMAND = 'echo weir-works';

jest.setTimeout(150_000);

let upstream: ScriptedUpstream;
let weir: TestWeir;
let tenant: TestTenant;
let home: string;

/** Asks for the command once, by whichever tool runs commands, and then repeats what it printed. */
const model: Script = (call, response) => {
  const messages = call.body.messages as { role: string; content: unknown }[];
  const tools = (call.body.tools ?? []) as {
    function: { name: string; parameters?: { properties?: Record<string, { type?: string }> } };
  }[];
  const shell = tools.find((tool) => /^(bash|shell|exec_command|local_shell|shell_command)$/i.test(tool.function.name));
  const result = messages.findLast(({ role }) => role === 'tool');
  const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
  call.billed = usage;
  const text = result ? `It printed: ${JSON.stringify(result.content)}` : 'ok';
  const toolCall = shell && !result && { id: 'call_1', name: shell.function.name, arguments: JSON.stringify(argumentsFor(shell.function)) };
  if (!call.body.stream) {
    const message = toolCall
      ? { role: 'assistant', content: null, tool_calls: [{ id: toolCall.id, type: 'function', function: toolCall }] }
      : { role: 'assistant', content: text };
    response.writeHead(200, { 'content-type': 'application/json' });
    return void response.end(
      JSON.stringify({
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, message, finish_reason: toolCall ? 'tool_calls' : 'stop' }],
        usage,
      }),
    );
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(delta({ role: 'assistant', content: '' }));
  if (toolCall) {
    const { id, name, arguments: json } = toolCall;
    response.write(delta({ tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: '' } }] }));
    for (const piece of json.match(/.{1,7}/g)!) response.write(delta({ tool_calls: [{ index: 0, function: { arguments: piece } }] }));
  } else {
    for (const word of text.split(/(?<= )/)) response.write(delta({ content: word }));
  }
  response.write(delta({}, toolCall ? 'tool_calls' : 'stop'));
  response.write(chunk({ choices: [], usage }));
  response.end('data: [DONE]\n\n');
};

function argumentsFor({ parameters }: { parameters?: { properties?: Record<string, { type?: string }> } }): object {
  const properties = parameters?.properties ?? {};
  const field = ['command', 'cmd'].find((name) => name in properties) ?? 'command';
  return {
    [field]: properties[field]?.type === 'array' ? ['bash', '-lc', COMMAND] : COMMAND,
    ...('description' in properties && { description: 'Prints' }),
  };
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'weir-agents-'));
  upstream = await ScriptedUpstream.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
  tenant = await createTenant(weir);
  await addUpstream(tenant, upstream.baseUrl);
});

beforeEach(() => {
  upstream.calls.length = 0;
  upstream.script = model;
});

afterAll(async () => {
  expect(await brokenInvariants(weir.db)).toEqual([]);
  await weir.stop();
  await upstream.stop();
  rmSync(home, { recursive: true, force: true });
});

/** Runs a command line to its end in an empty directory with an environment of its own. */
function run(
  command: string,
  args: string[],
  env: Record<string, string>,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const cwd = mkdtempSync(join(home, 'work-'));
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { PATH: process.env.PATH!, HOME: home, NO_PROXY: '*', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => (stdout += data));
    child.stderr.on('data', (data) => (stderr += data));
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Claude Code on the task. */
const claude = () =>
  run(binary('claude'), ['-p', TASK, '--model', 'up/test-model', '--allowedTools', 'Bash', '--output-format', 'json'], {
    ANTHROPIC_BASE_URL: weir.publicUrl,
    ANTHROPIC_AUTH_TOKEN: tenant.apiKey,
    ANTHROPIC_SMALL_FAST_MODEL: 'up/test-model',
    ANTHROPIC_DEFAULT_HAIKU_MODEL: 'up/test-model',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
  });

/** @param more lines of its configuration. */
function codex(name: string, task: string, more: string[] = []) {
  const codexHome = join(home, name);
  mkdirSync(codexHome);
  const provider = ['name = "Weir"', `base_url = "${weir.publicUrl}/v1"`, 'env_key = "WEIR_API_KEY"', 'wire_api = "responses"'];
  const lines = ['model = "up/test-model"', 'model_provider = "weir"', '[model_providers.weir]', ...provider, ...more];
  writeFileSync(join(codexHome, 'config.toml'), lines.join('\n'));
  const args = ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', task];
  return run(binary('codex'), args, { CODEX_HOME: codexHome, WEIR_API_KEY: tenant.apiKey });
}

const agents = testsIfThere('an agent in WEIR_TEST_AGENTS', present);

agents.describe('an agent finishes a task with a tool', () => {
  test('Claude Code, which speaks Messages, against a provider that speaks chat', async () => {
    const { status, stdout, stderr } = await claude();
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ is_error: false, result: expect.stringContaining('weir-works') });
  });

  test('Codex, which speaks Responses, against a provider that speaks chat', async () => {
    const { status, stdout, stderr } = await codex('codex', TASK);
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toContain('weir-works');
  });

  test('Codex with a tool of an MCP server, which it offers in a namespace', async () => {
    const server = join(home, 'notes.cjs');
    writeFileSync(server, MCP_SERVER);
    upstream.script = (call, response) => {
      const tools = (call.body.tools ?? []) as { function: { name: string } }[];
      const note = tools.find(({ function: { name } }) => name.endsWith('read_note'));
      const asked = (call.body['messages'] as { role: string }[]).some(({ role }) => role === 'tool');
      if (asked || !note) return model(call, response);
      call.billed = { prompt_tokens: 100, completion_tokens: 20 };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const called = { name: note.function.name, arguments: '{"id":"n1"}' };
      response.write(
        delta({ role: 'assistant', tool_calls: [{ index: 0, id: 'call_n', type: 'function', function: called }] }, 'tool_calls'),
      );
      response.end(`${chunk({ choices: [], usage: call.billed })}data: [DONE]\n\n`);
    };
    const { status, stdout, stderr } = await codex('codex-mcp', 'Read note n1 and tell me what it says.', [
      '[mcp_servers.notes]',
      `command = "${process.execPath}"`,
      `args = ["${server}"]`,
    ]);
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toContain('the note says weir-works');
  });
});

agents.describe('a budget that is spent stops an agent at once, and its user reads why', () => {
  const tries = async () =>
    [...(await (await fetch(`${weir.adminUrl}/metrics`)).text()).matchAll(/^weir_calls_total\{.*\} (\d+)$/gm)]
      .map(([, count]) => Number(count))
      .reduce((sum, count) => sum + count, 0);

  beforeAll(() => tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.000001', period: 'month' }));

  const AGENTS_TO_STOP = {
    'Claude Code': claude,
    Codex: () => codex('codex-denied', TASK),
    aider: () =>
      run(
        aider,
        ['--no-git', '--yes-always', '--no-check-update', '--no-show-model-warnings', '--analytics-disable'].concat([
          '--model',
          'openai/up/test-model',
          '--message',
          TASK,
        ]),
        { OPENAI_API_BASE: `${weir.publicUrl}/v1`, OPENAI_API_KEY: tenant.apiKey },
      ),
  };

  const there = Object.entries(AGENTS_TO_STOP).filter(([name]) => name !== 'aider' || existsSync(aider));
  test.each(there)('%s', async (_name, start) => {
    const before = await tries();
    const { stdout, stderr } = await start();
    expect([(stdout + stderr).replace(/\s+/g, ' '), (await tries()) - before]).toEqual([
      expect.stringMatching(/more than the budget of tenant \S+ has left/),
      1,
    ]);
  });
});

/** An MCP server over its standard input and output, with one tool. */
const MCP_SERVER = `
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  const inputSchema = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };
  if (method === 'initialize')
    send({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'notes', version: '1' } } });
  else if (method === 'tools/list') send({ id, result: { tools: [{ name: 'read_note', description: 'Reads a note', inputSchema }] } });
  else if (method === 'tools/call') send({ id, result: { content: [{ type: 'text', text: 'the note says weir-works' }] } });
  else if (id !== undefined) send({ id, result: {} });
});
`;
