// Renders deploy/helm/weir into the plain manifests of deploy/kubernetes. Needs helm 3 on the PATH:
//
//   go install helm.sh/helm/v3/cmd/helm@v3.22.0
//   node scripts/render-manifests.mjs
//
// --check writes nothing and fails when the manifests are not those of the chart: by the digest of the chart that each names, and where helm is on
// the PATH by rendering them.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const CHART = path.join(ROOT, 'deploy/helm/weir');
const TARGET = path.join(ROOT, 'deploy/kubernetes');
const VALUES = path.join(TARGET, 'values.yaml');
const KUBERNETES = '1.33.0';
/** What needs something that not every cluster has. */
const OPTIONAL = ['autoscaler', 'service-monitor'];

const digest = digestOf([...filesUnder(CHART), VALUES]);
if (process.argv.includes('--check')) check();
else write();

function write() {
  const rendered = render();
  for (const file of manifests()) rmSync(path.join(TARGET, file));
  for (const [file, text] of rendered) {
    mkdirSync(path.dirname(path.join(TARGET, file)), { recursive: true });
    writeFileSync(path.join(TARGET, file), text);
  }
}

function check() {
  const present = new Map(manifests().map((file) => [file, readFileSync(path.join(TARGET, file), 'utf8')]));
  const stale = [...present].filter(([, text]) => !text.includes(digest)).map(([file]) => file);
  if (present.size === 0 || stale.length > 0) fail(`not rendered from the chart as it is: ${stale.join(', ') || 'nothing is there'}`);
  if (spawnSync('helm', ['version']).status !== 0) return;
  const rendered = render();
  const differing = [...new Set([...rendered.keys(), ...present.keys()])].filter((file) => rendered.get(file) !== present.get(file));
  if (differing.length > 0) fail(`not what the chart renders: ${differing.join(', ')}`);
}

/** The text of each file, by its name. */
function render() {
  const only = OPTIONAL.flatMap((name) => ['--show-only', `templates/${name}.yaml`]);
  const optional = split(helm(['--set', 'gateway.autoscaling.enabled=true,serviceMonitor.enabled=true', ...only]), 'optional/');
  return new Map([...split(helm([]), ''), ...optional]);
}

function helm(more) {
  const args = ['template', 'weir', CHART, '--kube-version', KUBERNETES, '--namespace', 'weir', '--values', VALUES, ...more];
  const { status, stdout, stderr, error } = spawnSync('helm', args, { encoding: 'utf8' });
  if (status !== 0) fail(error ? 'helm 3 is not on the PATH' : stderr.trim());
  return stdout;
}

/** Helm names the template before each document. */
function split(text, folder) {
  const files = new Map();
  for (const document of text.split(/^---\n/m).filter((part) => part.trim() !== '')) {
    const [, template] = /^# Source: weir\/templates\/(\S+)\n/.exec(document);
    const file = folder + template;
    const head = `# Rendered from deploy/helm/weir by scripts/render-manifests.mjs; change it there.\n# ${digest}\n`;
    files.set(file, `${files.get(file) ?? head}---\n${document.replace(/^# Source: .*\n/, '')}`);
  }
  return files;
}

function manifests() {
  return readdirSync(TARGET, { recursive: true }).filter((file) => file.endsWith('.yaml') && file !== 'values.yaml');
}

function filesUnder(directory) {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
}

function digestOf(files) {
  const hash = createHash('sha256');
  for (const file of files.sort()) hash.update(`${path.relative(ROOT, file)}\0${readFileSync(file, 'utf8')}\0`);
  return `chart sha256:${hash.digest('hex')}`;
}

function fail(message) {
  process.stderr.write(`render-manifests: ${message}\nRun: node scripts/render-manifests.mjs\n`);
  process.exit(1);
}
