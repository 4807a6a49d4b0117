// Makes the checkout ready to run: installs what package-lock.json names, generates the Prisma client, compiles src.
// npm runs it before `start`, `test` and `check` with whatever Node the host has (18 or later), so it uses nothing newer
// and no package. Each step is skipped when nothing it depends on has changed. It prints to stderr only: stdout belongs
// to the command that follows.
//
//   node scripts/prepare.mjs [--dev] [--no-build]
//
// --dev also installs what tests, checks and benchmarks need; without it, what running needs.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const LOCK = path.join(ROOT, '.cache', 'prepare.lock');
const NODE_MAJOR = '24';
const GENERATED = 'src/platform/postgres/generated';
const CLIENT_STAMP = `${GENERATED}/.stamp`;
/** Not part of the checkout, as the types are not. */
const TYPES_STAMP = `${GENERATED}/models/.stamp`;
const PRISMA = 'node_modules/prisma-cli/build/index.js';
const BUILD_STAMP = 'dist/.stamp';
/** The command `weir` of the checkout; npm makes it only where Weir is installed as a package. */
const COMMAND = 'node_modules/.bin/weir';
const PROGRESS_MS = 1_000;

/** An installation for developers stays one. */
const forDevelopers = process.argv.includes('--dev') || existsSync(at('node_modules/jest'));
const wantsBuild = !process.argv.includes('--no-build');

try {
  if (!isReady()) await prepare();
  checkNode();
} catch (error) {
  say(error.message);
  process.exitCode = 1;
} finally {
  releaseLock();
}

/** A checkout that is ready is not written to: it may belong to another user. */
function isReady() {
  return isInstalled() && isGenerated() && (!wantsBuild || (isBuilt() && existsSync(at(COMMAND))));
}

async function prepare() {
  takeLock();
  if (!isInstalled()) await install(forDevelopers);
  removeUnused();
  if (!isGenerated()) await generateClient();
  if (wantsBuild && !isBuilt()) build();
  if (wantsBuild) linkCommand();
}

/** Where npm brings no Node, the host's runs Weir. Its flags are those of one version: another refuses to start with some of them. */
function checkNode() {
  const [major] = process.versions.node.split('.');
  if (existsSync(at('node_modules/.bin/node')) || major === NODE_MAJOR) return;
  throw new Error(`Weir runs on Node ${NODE_MAJOR}, and this is ${process.version}. Install Node ${NODE_MAJOR}, then try again.`);
}

// --- install

/** npm leaves in node_modules a record of what it put there; it writes that last, so an interrupted install has none. */
function isInstalled() {
  if (!existsSync(at('node_modules/.package-lock.json'))) return false;
  const present = readJson('node_modules/.package-lock.json').packages;
  return Object.entries(wantedPackages(forDevelopers)).every(([location, entry]) => isSatisfied(entry, present[location]));
}

/** By their place in node_modules, as package-lock.json has them. */
function wantedPackages(withDev) {
  const { '': _root, ...packages } = readJson('package-lock.json').packages;
  return Object.fromEntries(Object.entries(packages).filter(([, { dev }]) => withDev || !dev));
}

function isSatisfied({ version, integrity, optional, devOptional }, found) {
  if (!found) return optional === true || devOptional === true; // for another platform
  return found.version === version && (integrity === undefined || found.integrity === integrity);
}

async function install(withDev) {
  const places = Object.keys(wantedPackages(withDev));
  const startedAt = Date.now();
  say(`Installing ${places.length} packages (once)…`);
  const flags = ['ci', '--ignore-scripts', withDev ? '--include=dev' : '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const [command, ...args] = hostNpm();
  const child = spawn(command, [...args, ...flags], { cwd: ROOT, env: hostEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  const progress = setInterval(() => showProgress(places), PROGRESS_MS);
  const status = await new Promise((resolve) => child.on('error', resolve).on('close', resolve));
  clearInterval(progress);
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  if (status !== 0) {
    process.stderr.write(`${complaint.split('\n').slice(0, 10).join('\n')}\n`); // npm goes on with its manual
    throw new Error('The dependencies could not be installed: npm ci failed.');
  }
  say(`Installed in ${Math.round((Date.now() - startedAt) / 1_000)} s.`);
}

/** One line that is written over, so for people only. */
function showProgress(places) {
  if (!process.stderr.isTTY) return;
  const there = places.filter((place) => existsSync(at(`${place}/package.json`))).length;
  process.stderr.write(`\r  ${there} of ${places.length}`);
}

/** Half of what the packages weigh, and nothing Weir runs: C headers of Node, Prisma for other databases, and types where nobody develops. */
function removeUnused() {
  for (const name of readdirSync(at('node_modules')).filter((one) => one.startsWith('node-linux-')))
    rmSync(at(`node_modules/${name}/include`), { recursive: true, force: true });
  const runtime = 'node_modules/@prisma/client/runtime';
  for (const name of readdirSync(at(runtime)))
    if (/cockroachdb|mysql|sqlite|sqlserver|\.map$/.test(name)) rmSync(at(`${runtime}/${name}`), { force: true });
  rmSync(at('node_modules/swagger-ui-dist'), { recursive: true, force: true });
  if (forDevelopers) return;
  for (const name of readdirSync(at('node_modules'), { recursive: true }))
    if (/\.(?:d\.[cm]?ts|map)$/.test(name)) rmSync(at(`node_modules/${name}`), { force: true });
}

/** The host's npm on the host's Node: the pinned Node is inside the directory that `npm ci` deletes. */
function hostNpm() {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const isUsable = npm?.endsWith('npm-cli.js') && existsSync(npm) && node && existsSync(node) && !node.startsWith(at('node_modules'));
  return isUsable ? [node, npm] : ['npm'];
}

function hostEnvironment() {
  const directories = (process.env.PATH ?? '').split(path.delimiter);
  const ofHost = directories.filter((directory) => !directory.endsWith(path.join('node_modules', '.bin')));
  return { ...process.env, PATH: ofHost.join(path.delimiter) };
}

// --- Prisma client

/** What runs of the client is part of the checkout. Its types, which are six times as long, are made for developers. */
function isGenerated() {
  const isCurrent = (stamp) => readIfPresent(stamp) === clientInputs();
  return isCurrent(CLIENT_STAMP) && (!forDevelopers || isCurrent(TYPES_STAMP));
}

function clientInputs() {
  return digest(['prisma/schema.prisma'], readJson('package.json').devDependencies['prisma-cli']);
}

async function generateClient() {
  if (!existsSync(at(PRISMA))) await install(true);
  say('Generating the database client…');
  // `generate` needs no schema engine, but refuses to begin without one, and would download it.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' };
  run([PRISMA, 'generate', '--no-hints'], env, 'prisma generate failed.');
  for (const stamp of [CLIENT_STAMP, TYPES_STAMP]) writeFileSync(at(stamp), clientInputs());
}

// --- build

function isBuilt() {
  return readIfPresent(BUILD_STAMP) === buildInputs();
}

function buildInputs() {
  const configurations = readdirSync(ROOT).filter((name) => /^tsconfig.*\.json$/.test(name));
  const sources = [...filesUnder('src'), ...filesUnder('prisma')].filter(
    (file) => !file.startsWith(GENERATED) && !file.endsWith('.spec.ts'),
  );
  return digest([...sources, ...configurations, 'scripts/build.mjs', 'package-lock.json'], buildFlags().join());
}

/** Where tests can run, the faults they inject are built in. */
function buildFlags() {
  return forDevelopers ? ['--crash-points'] : [];
}

function build() {
  say('Building…');
  const inputs = buildInputs();
  run(['scripts/build.mjs', ...buildFlags()], process.env, 'The build failed.');
  writeFileSync(at(BUILD_STAMP), inputs);
}

function linkCommand() {
  chmodSync(at('dist/cli.js'), 0o755);
  rmSync(at(COMMAND), { force: true });
  symlinkSync('../../dist/cli.js', at(COMMAND));
}

// --- one run at a time

/** The lock appears complete, with its owner's process id, because a hard link is made in one step. */
function takeLock() {
  mkdirSync(path.dirname(LOCK), { recursive: true });
  const mine = `${LOCK}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  for (let waiting = false; !tryLink(mine); waiting = true) {
    const owner = readIfPresent('.cache/prepare.lock');
    if (owner === null) continue;
    if (!isAlive(Number(owner))) removeDeadLock(owner);
    else if (!waiting) say(`Waiting for the preparation that process ${owner} is doing…`);
    pause(100);
  }
  rmSync(mine);
}

function tryLink(mine) {
  try {
    linkSync(mine, LOCK);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Renamed first: if another process has just replaced the dead lock by its own, that one is put back. */
function removeDeadLock(owner) {
  const aside = `${LOCK}.dead-${process.pid}`;
  try {
    renameSync(LOCK, aside);
  } catch {
    return;
  }
  if (readFileSync(aside, 'utf8') !== owner) tryLink(aside);
  rmSync(aside);
}

function releaseLock() {
  if (readIfPresent('.cache/prepare.lock') === String(process.pid)) rmSync(LOCK);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// --- helpers

/** Runs a script on the pinned Node. What it printed is shown only when it fails. */
function run(args, env, complaint) {
  const pinned = at('node_modules/.bin/node');
  const node = existsSync(pinned) ? pinned : process.execPath;
  const result = spawnSync(node, args, { cwd: ROOT, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
  if (result.status === 0) return result.stdout;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  throw new Error(complaint);
}

function digest(files, more = '') {
  const hash = createHash('sha256').update(more);
  for (const file of [...files].sort())
    hash.update(`${file}\0`).update(
      createHash('sha256')
        .update(readFileSync(at(file)))
        .digest(),
    );
  return hash.digest('hex');
}

function filesUnder(directory) {
  if (!existsSync(at(directory))) return [];
  return readdirSync(at(directory), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(directory, entry.name);
    return entry.isDirectory() ? filesUnder(name) : [name];
  });
}

function readIfPresent(file) {
  try {
    return readFileSync(at(file), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function readJson(file) {
  return JSON.parse(readFileSync(at(file), 'utf8'));
}

function at(file) {
  return path.join(ROOT, file);
}

function pause(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
