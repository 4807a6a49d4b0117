import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { findNginx } from '../../bench/nginx-binary.js';
import { readConfig } from '../../src/platform/config/index.js';
import { testsWith } from '../support/needs.js';

const ROOT = path.resolve(__dirname, '../..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

const TEXT = read('docker-compose.yml');
const { services, volumes } = parse(TEXT, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> };
const ours = Object.entries(services).filter(([, service]) => service.build === '.');
const gateways = ours.map(([name]) => name).filter((name) => configOf(name).roles.has('gateway'));

/** The configuration a service starts with, once the operator has set what must be set. */
function configOf(name: string) {
  const filled = Object.entries(services[name]!.environment ?? {}).map(([variable, value]) => [
    variable,
    value.replace(/\$\{[^}]*\}/g, 'a'.repeat(44)),
  ]);
  return readConfig(Object.fromEntries(filled), tmpdir());
}

describe('the services of docker-compose.yml', () => {
  it.each(ours.map(([name]) => name))('%s is given variables that Weir knows, with values it accepts', (name) => {
    expect(() => configOf(name)).not.toThrow();
  });

  it('are two gateways, the admin REST and a worker, each on its own', () => {
    expect(Object.fromEntries(ours.map(([name]) => [name, [...configOf(name).roles]]))).toEqual({
      'gateway-1': ['gateway'],
      'gateway-2': ['gateway'],
      control: ['control'],
      worker: ['worker'],
    });
  });

  it('work on one database under one master key, and make no demo tenant', () => {
    const configs = ours.map(([name]) => configOf(name));
    expect(new Set(configs.map((config) => config.databaseUrl)).size).toBe(1);
    expect(new Set(ours.map(([, service]) => service.environment?.['WEIR_MASTER_KEY'])).size).toBe(1);
    expect(configs.filter((config) => config.demo || config.databaseUrl === null || config.masterKey === null)).toEqual([]);
  });

  it('keep their queues in Redis, where there is a worker', () => {
    const { hosts, password } = configOf('worker').redis!;
    expect([hosts, password?.reveal()]).toEqual([[{ host: 'redis', port: 6379 }], 'a'.repeat(44)]);
  });

  it('have a home each that outlives them: what a gateway has sent is noted there', () => {
    const homes = ours.map(
      ([name, { volumes: mounts = [] }]) => mounts.find((mount) => mount.endsWith(`:${configOf(name).home}`))?.split(':')[0],
    );
    expect(new Set(homes).size).toBe(ours.length);
    expect(homes.filter((home) => home === undefined || !(home in volumes))).toEqual([]);
  });

  it('wait for what they need until it is healthy', () => {
    const waits = Object.values(services).flatMap(({ depends_on: needs = {} }) => Object.entries(needs));
    expect(waits.filter(([name, { condition }]) => condition !== 'service_healthy' || !services[name]?.healthcheck)).toEqual([]);
  });

  it('show the outside world the proxy alone; the admin port is for this machine only', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
    expect(published).toEqual(['control 127.0.0.1:8081:8081', 'proxy 443:443']);
    expect(configOf('control').admin.port).toBe(8081);
  });
});

describe('the secrets of docker-compose.yml', () => {
  it('come from the environment, and nothing starts without them', () => {
    const placeholders = [...TEXT.matchAll(/\$\{(\w+)([^}]*)\}/g)];
    expect(new Set(placeholders.map(([, name]) => name))).toEqual(new Set(['WEIR_MASTER_KEY', 'POSTGRES_PASSWORD', 'REDIS_PASSWORD']));
    expect(placeholders.filter(([, , rest]) => !rest!.startsWith(':?'))).toEqual([]);
  });

  it('stand nowhere in clear text', () => {
    const values = Object.values(services).flatMap(({ environment = {} }) => Object.entries(environment));
    const secret = values.filter(([name, value]) => /KEY|PASSWORD|AUTH/.test(name) || /:\/\/[^/]*:/.test(value));
    expect(secret.length).toBeGreaterThan(0);
    expect(secret.filter(([, value]) => !/^\$\{[^}]+\}$/.test(value) && !/:\/\/[^/:]*:\$\{[^}]+\}@/.test(value))).toEqual([]);
  });
});

describe('the Redis of docker-compose.yml', () => {
  const command = services['redis']?.command?.join(' ') ?? '';

  it('writes to disk what is queued, and throws none of it away when memory is short', () => {
    expect(command).toContain('appendonly yes\\nmaxmemory-policy noeviction\\n');
    expect(services['redis']?.volumes).toEqual(['redis-data:/data']);
  });
});

it('has no secret among the arguments of a program, where everybody on the machine can read it', () => {
  const text = read('docker-compose.yml');
  const commands = [...text.matchAll(/^ *(?:command|test|entrypoint): .*$/gm)].map(([line]) => line);
  expect(commands.length).toBeGreaterThan(3);
  expect(commands.filter((line) => /(?<!\$)\$\{/.test(line))).toEqual([]);
});

describe('deploy/nginx.conf', () => {
  const conf = read('deploy/nginx.conf').replace(/#.*$/gm, '');
  const upstream = [...conf.matchAll(/\bserver ([\w-]+):(\d+)[^;{]*;/g)].map(([, host, port]) => ({ host, port: Number(port) }));

  it('sends calls to both gateways, and to nothing else', () => {
    expect(upstream).toEqual(gateways.map((host) => ({ host, port: configOf(host).public.port })));
    expect(upstream).toHaveLength(2);
    expect([...conf.matchAll(/proxy_pass\s+([^;]+);/g)].map(([, target]) => target)).toEqual(['http://gateways']);
  });

  it('passes events on as they arrive, for as long as a call may take', () => {
    expect(conf).toMatch(/^\s*proxy_buffering off;$/m);
    const minutes = Number(/proxy_read_timeout (\d+)m;/.exec(conf)?.[1]);
    expect(minutes * 60_000).toBeGreaterThan(configOf('gateway-1').timeouts.totalMs);
  });

  it('sends no call twice', () => {
    expect(conf).not.toContain('non_idempotent');
    expect(/proxy_next_upstream ([^;]+);/.exec(conf)?.[1]).toBe('error timeout');
  });

  it('reads its certificate from the directory that is mounted', () => {
    const files = [...conf.matchAll(/ssl_certificate(?:_key)? ([^;]+);/g)].map(([, file]) => file);
    expect(files).toEqual(['/etc/nginx/certs/weir.crt', '/etc/nginx/certs/weir.key']);
    expect(services['proxy']?.volumes).toEqual(['./deploy/nginx.conf:/etc/nginx/nginx.conf:ro', './deploy/certs:/etc/nginx/certs:ro']);
  });

  const nginx = findNginx();
  testsWith('nginx', nginx !== null).test('is accepted by nginx', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'weir-nginx-'));
    try {
      expect(makeCertificate(directory)).toBe(true);
      mkdirSync(path.join(directory, 'temp'));
      writeFileSync(path.join(directory, 'nginx.conf'), runnableHere(read('deploy/nginx.conf'), directory));
      const flags = ['-t', '-q', '-e', 'stderr', '-p', directory, '-c', path.join(directory, 'nginx.conf')];
      const { status, stderr } = spawnSync(nginx!.command, flags, { env: nginx!.env, encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('the Dockerfile', () => {
  const dockerfile = read('Dockerfile');
  const image = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));

  it('copies only what is there and let in by .dockerignore', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    const admitted = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied.filter((name) => !existsSync(path.join(ROOT, name)))).toEqual([]);
    expect([...new Set(copied)].sort()).toEqual(admitted.sort());
  });

  it('runs no install script, and not as root', () => {
    expect([...dockerfile.matchAll(/npm (ci|prune)\b.*$/gm)].filter(([line]) => !line.includes('--ignore-scripts'))).toEqual([]);
    expect(image).toMatch(/^USER [1-9]\d*$/m);
    // Node itself, so that signals reach it, and with the flags of `npm start`.
    const command = /exec env (node .*dist\/main\.js)$/.exec(JSON.parse(read('package.json')).scripts.start)![1]!;
    expect(image).toContain(`CMD ${JSON.stringify(command.split(' ')).replaceAll(',', ', ')}`);
    expect(image).toMatch(/^HEALTHCHECK [\s\S]*\/livez/m);
  });
});

/** False: there is no openssl. */
function makeCertificate(directory: string): boolean {
  try {
    const files = ['-keyout', path.join(directory, 'weir.key'), '-out', path.join(directory, 'weir.crt')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
        '-subj',
        '/CN=localhost',
        ...files,
      ],
      { stdio: 'ignore' },
    );
    return true;
  } catch {
    return false;
  }
}

/** The configuration as it is, but for what exists only inside compose: hosts, certificate, directories. `resolve` is too new for some nginx. */
function runnableHere(conf: string, directory: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/temp/${name};`);
  return conf
    .replaceAll('/etc/nginx/certs', directory)
    .replaceAll('/tmp/nginx.pid', `${directory}/nginx.pid`)
    .replaceAll('/dev/stdout', `${directory}/access.log`)
    .replace(/server gateway-\d:(\d+) resolve;/g, 'server 127.0.0.1:$1;')
    .replace('http {', `http {\n${temporary.join('\n')}`);
}
