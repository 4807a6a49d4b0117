import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../platform/config/index.js';

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system can only be read',
  ENOTDIR: 'something in the way is no directory',
  EEXIST: 'something in the way is no directory',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'the name is too long',
};

/** Makes the directory of the process, where it is not there. @throws ConfigError when this user cannot keep files in it. */
export function makeHome(home: string): void {
  try {
    make(home);
    accessSync(home, constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = WHY[(error as NodeJS.ErrnoException).code ?? ''] ?? 'the directory cannot be made';
    const user = process.getuid ? ` (user id ${process.getuid()})` : '';
    throw new ConfigError([`WEIR_HOME cannot be ${home}: ${why}${user}; set it to a directory that this user may write to`]);
  }
}

/** Step by step: where nothing can be made, as below /proc, a recursive mkdir of Node does not end. */
function make(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  if (found) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  make(dirname(directory));
  try {
    mkdirSync(directory);
  } catch (error) {
    // Another process may have been quicker.
    if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
