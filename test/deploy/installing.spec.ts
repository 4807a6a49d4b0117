import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { findNginx } from '../../bench/nginx-binary.js';
import { createEmptyDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { testsWith } from '../support/needs.js';
import { ROOT } from '../support/process.js';
import { QueueRig } from '../support/queue-rig.js';
import { startRedis, type TestRedis, testsWithRedis } from '../support/redis.js';
import { eventually } from '../support/weir.js';

jest.setTimeout(180_000);

const page = (name: string) => readFileSync(path.join(ROOT, 'docs/operations', name), 'utf8');

/** The commands of a page that a machine without root can run. */
const runnable = (text: string) => [...text.matchAll(/<!-- runs in tests -->\n```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands!);

const nginx = findNginx();
const withNginx = testsWith('nginx', nginx !== null);
const withRedis = testsWithRedis();

withRedis.describe('docs/operations/installing.md', () => {
  let directory: string;
  let database: TestDatabase;
  let redis: TestRedis;
  const running: ChildProcess[] = [];

  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'weir-install-'));
    database = await createEmptyDatabase();
    redis = await startRedis();
  });

  afterEach(async () => {
    for (const child of running.splice(0)) {
      if (child.exitCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await redis.stop();
    await database.drop();
    rmSync(directory, { recursive: true, force: true });
  });

  withNginx.test('its commands, as they are pasted, make two gateways behind TLS, the admin REST and a worker that are ready', async () => {
    const ports = new Map<string, string>([['6379', String(redis.port)]]);
    for (const port of ['8080', '8081', '8082', '8083', '9080', '9081', '9082', '9083', '443']) ports.set(port, String(await freePort()));
    for (const name of ['etc', 'systemd', 'var', 'log']) mkdirSync(path.join(directory, name));
    /** Directories and ports of this machine's own instead of those that need root. */
    const here = (text: string) =>
      text
        .replaceAll('sudo ', '')
        .replaceAll('/etc/weir', `${directory}/etc`)
        .replaceAll('/etc/systemd/system', `${directory}/systemd`)
        .replaceAll('/etc/nginx/nginx.conf', `${directory}/nginx.conf`)
        .replaceAll('/var/lib/weir', `${directory}/var`)
        .replaceAll('/var/log/nginx', `${directory}/log`)
        .replaceAll('/run/nginx.pid', `${directory}/nginx.pid`)
        .replaceAll('/opt/weir', ROOT)
        .replace(/\b(?:6379|808[0-3]|908[0-3]|443)\b/g, (port) => ports.get(port)!);
    const blocks = runnable(page('installing.md')).map(here);
    expect(blocks).toHaveLength(6);
    const [secrets, files, unit, firstKey, tls, ask] = blocks as [string, string, string, string, string, string];
    const paste = async (commands: string, env: Record<string, string> = {}) =>
      (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], { env: { PATH: process.env['PATH']!, ...env } })).stdout;

    for (const block of [secrets, files, unit, tls]) await paste(block);
    writeFileSync(path.join(directory, 'etc/database-url'), `${database.url}\n`);
    const client = new Redis(redis.url);
    await client.config('SET', 'requirepass', readFileSync(path.join(directory, 'etc/redis-password'), 'utf8').trim());
    client.disconnect();

    const service = readFileSync(path.join(directory, 'systemd/weir@.service'), 'utf8');
    const launch = (name: string) => {
      const [, command] = /^ExecStart=(.*)$/m.exec(service)!;
      const [program, ...args] = command!.replaceAll('%i', name).split(' ');
      const [, cwd] = /^WorkingDirectory=(.*)$/m.exec(service)!;
      const child = spawn(program!, args, { cwd: cwd!, env: { PATH: process.env['PATH']! }, stdio: ['ignore', 'pipe', 'inherit'] });
      running.push(child);
      return child;
    };
    let said = '';
    launch('control').stdout!.on('data', (text) => (said += text));
    await eventually(async () => /weir_op_[\w-]+/.test(said), 60_000);
    for (const name of ['gateway-1', 'gateway-2', 'worker']) launch(name);
    const told = await paste(firstKey, { OPERATOR: /weir_op_[\w-]+/.exec(said)![0] });
    expect(told).toMatch(/^(\{"status":"ready"\}){4}.*weir_adm_/);

    writeFileSync(path.join(directory, 'nginx.conf'), withoutRoot(readFileSync(path.join(directory, 'nginx.conf'), 'utf8'), directory));
    const conf = [
      '-e',
      path.join(directory, 'log/start.log'),
      '-p',
      directory,
      '-c',
      path.join(directory, 'nginx.conf'),
      '-g',
      'daemon off;',
    ];
    running.push(spawn(nginx!.command, conf, { env: nginx!.env, stdio: ['ignore', 'ignore', 'inherit'] }));
    await eventually(
      () =>
        paste(ask).then(
          (text) => text === 'ready',
          () => false,
        ),
      15_000,
    );
  });

  /** Directories that nginx would make where it was installed. */
  function withoutRoot(conf: string, at: string): string {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${at}/temp-${name};`);
    return conf.replace('http {', `http {\n${temporary.join('\n')}`);
  }
});

withRedis.test('the rights that docs/operations/redis.md gives a user are enough', async () => {
  const redis = await startRedis();
  const [, command] = /^ACL (SETUSER .*)$/m.exec(page('redis.md'))!;
  const client = new Redis(redis.url);
  await client.call('ACL', ...command!.split(' '));
  client.disconnect();
  const rig = await QueueRig.start({ REDIS_URL: redis.url.replace('//', '//weir:password@'), REDIS_PREFIX: 'weir:' });
  try {
    await eventually(async () => rig.runs > 0, 15_000);
    expect([rig.queues.fault, rig.lines]).toEqual([null, []]);
  } finally {
    await QueueRig.stopAll();
    await redis.stop();
  }
});
