import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockWriter } from './block-writer.js';

let directory: string;
let file: string;
let fd: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-log-'));
  file = join(directory, 'log');
  fd = openSync(file, 'w');
});

afterEach(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true, force: true });
});

test('every line arrives whole and in order, however many there are', async () => {
  const writer = new BlockWriter(fd);
  const lines = Array.from({ length: 20_000 }, (_, i) => `{"line":${i},"text":"Grüße"}\n`);
  for (const line of lines) writer.write(line);
  const expected = lines.join('');
  while (readFileSync(file).length < Buffer.byteLength(expected)) await new Promise((resolve) => setImmediate(resolve));
  expect(readFileSync(file, 'utf8')).toBe(expected);
});

test('a log that nobody takes drops lines, and says how many', () => {
  const writer = new BlockWriter(fd);
  const line = 'x'.repeat(1024 * 1024);
  // The file is written off the main thread, which this test does not leave: everything waits.
  for (let i = 0; i < 30; i++) writer.write(line);
  expect(writer.droppedLines).toBeGreaterThan(10);
  writer.flushSync();
  expect(readFileSync(file, 'utf8')).toContain('"msg":"log lines were dropped"');
});
