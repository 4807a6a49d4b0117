import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal, readJournal } from './journal.js';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-journal-'));
  path = join(directory, 'g.journal');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const line = (id: string) => JSON.stringify({ id });

test('what was kept is read back, and emptied once all of it is booked', async () => {
  const journal = new Journal(path);
  await Promise.all([journal.append('a', line('a')), journal.append('b', line('b'))]);
  await journal.forget('a');
  expect([...readJournal(path).keys()].sort()).toEqual(['a', 'b']);
  await journal.forget('b');
  expect(readJournal(path).size).toBe(0);
  await journal.close(true);
  expect(existsSync(path)).toBe(false);
});

test('emptying takes nothing along that is kept meanwhile', async () => {
  const journal = new Journal(path);
  for (let round = 0; round < 50; round++) {
    const [before, after] = [`before-${round}`, `after-${round}`];
    await journal.append(before, line(before));
    const emptied = journal.forget(before);
    await journal.append(after, line(after));
    expect(readJournal(path).has(after)).toBe(true);
    await emptied;
    expect(readJournal(path).has(after)).toBe(true);
    await journal.forget(after);
  }
  await journal.close(false);
  expect(existsSync(path)).toBe(true);
});

test('what a full disk refused is kept as soon as there is room, in a file of its own', async () => {
  symlinkSync('/dev/full', path);
  const journal = new Journal(path);
  await expect(journal.append('a', line('a'))).rejects.toThrow('ENOSPC');
  await journal.append('a', line('a'));
  await journal.append('b', line('b'));
  expect([...readJournal(path).keys()].sort()).toEqual(['a', 'b']);
  await journal.close(false);
});
