// What `npm run check` looks at beside code: licenses of what is shipped, known vulnerabilities, subjects of commits.
// Prints each fault on a line of its own and ends with status 1 when there is one.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const LICENSES = new Set([
  'MIT',
  'MIT-0',
  'Apache-2.0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Python-2.0',
  'BlueOak-1.0.0',
  'PostgreSQL',
]);
/** They name theirs in a text only, by which it is MIT. */
const UNNAMED = new Set(['node_modules/pause']);

/** Subjects of commits before this day follow no form. */
const FIRST_DAY = '2026-12-01';
const SUBJECT = /^(feat|fix|perf|refactor|test|docs|build|ci)(\([a-z0-9, -]+\))?: \S.{0,70}$/;
const MAX_SUBJECT = 72;

const faults = [...licenses(), ...vulnerabilities(), ...subjects()];
for (const fault of faults) console.error(fault);
process.exitCode = faults.length > 0 ? 1 : 0;

function licenses() {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  return Object.entries(packages)
    .filter(([location, { dev }]) => location !== '' && !dev && !UNNAMED.has(location))
    .map(([location, { license }]) => [location, license ?? licenseOf(location)])
    .filter(([, license]) => license !== null && !LICENSES.has(license))
    .map(([location, license]) => `${location}: the license "${license}" is not on the list in scripts/check-repository.mjs`);
}

/** Some packages name it in their own file only; null: not installed on this platform. */
function licenseOf(location) {
  try {
    const { license, licenses } = JSON.parse(readFileSync(`${location}/package.json`, 'utf8'));
    return license ?? licenses?.[0]?.type ?? 'none';
  } catch {
    return null;
  }
}

/** Registries that do not answer such questions are passed over. */
function vulnerabilities() {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8' });
  try {
    const found = Object.entries(JSON.parse(stdout).vulnerabilities);
    return found
      .filter(([, { severity }]) => /high|critical/.test(severity))
      .map(([name, { severity }]) => `${name}: ${severity} vulnerability; see npm audit`);
  } catch {
    console.error('npm audit: the registry does not answer, so known vulnerabilities were not looked up.');
    return [];
  }
}

function subjects() {
  const { status, stdout } = spawnSync('git', ['log', '--no-merges', `--since=${FIRST_DAY}T00:00:00Z`, '--format=%h %s'], {
    encoding: 'utf8',
  });
  if (status !== 0) return [];
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)])
    .filter(([, subject]) => !SUBJECT.test(subject) || subject.length > MAX_SUBJECT)
    .map(([hash, subject]) => `${hash}: "${subject}" is not "type(scope): what changes" within ${MAX_SUBJECT} characters`);
}
