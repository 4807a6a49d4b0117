import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

const PACKAGE = 'kubernetes-validate==1.37.0';
const DIRECTORY = path.resolve(__dirname, '../../.cache/kubernetes-validate');
const PROGRAM = path.join(DIRECTORY, 'bin/kubernetes-validate');

/** Kubernetes' own schemas, from PyPI. Null on a machine without Python, or where the package cannot be fetched. */
export function findKubernetesSchemas(): ((files: readonly string[]) => { valid: boolean; said: string }) | null {
  if (!existsSync(PROGRAM) && !install()) return null;
  return (files) => {
    const { status, stdout, stderr } = spawnSync(PROGRAM, ['--strict', '--quiet', '-k', '1.33', ...files], { encoding: 'utf8' });
    return { valid: status === 0, said: `${stdout}${stderr}` };
  };
}

function install(): boolean {
  mkdirSync(path.dirname(DIRECTORY), { recursive: true });
  const made = spawnSync('python3', ['-m', 'venv', DIRECTORY], { stdio: 'ignore' }).status === 0;
  const pip = path.join(DIRECTORY, 'bin/pip');
  if (made && spawnSync(pip, ['install', '--quiet', '--no-input', PACKAGE], { stdio: 'ignore' }).status === 0) return true;
  rmSync(DIRECTORY, { recursive: true, force: true });
  return false;
}
