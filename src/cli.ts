#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './cli/index.js';

const { version } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };

// A reader that has seen enough, such as `head`, is no error.
process.stdout.on('error', () => process.exit(0));
void run(process.argv.slice(2), version, process.env).then((exit) => {
  process.exitCode = exit;
});
