import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const REGISTER = join(__dirname, '../../../test/support/register-typescript.cjs');
const FACTS = { call: 'call_1', model: 'a "quoted" Übermodell\n', stream: false, status: 200, error: undefined, cause: null, ms: 1.5 };

/** What a process logs. */
function linesOf(level: string, statements: string): Record<string, unknown>[] {
  const script = `const { createLogger, logHotPath } = require('./logger.ts'); const log = createLogger('${level}'); ${statements}`;
  const { stderr, status } = spawnSync(process.execPath, ['-r', REGISTER, '-e', script], { cwd: __dirname, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const lines = stderr.split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a line that is logged often looks like any other', () => {
  const facts = `JSON.parse(${JSON.stringify(JSON.stringify(FACTS))})`;
  const [plain, often] = linesOf('info', `log.info(${facts}, 'call'); logHotPath(log, { ...${facts}, error: undefined }, 'call');`);
  expect(Object.keys(often!)).toEqual(Object.keys(plain!));
  expect(often).toEqual({ ...plain, time: often!['time'] });
  expect(often!['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('a line that is logged often is left out where others of its level are', () => {
  expect(linesOf('warn', `log.info({}, 'call'); logHotPath(log, {}, 'call'); log.warn('kept');`)).toEqual([
    expect.objectContaining({ msg: 'kept' }),
  ]);
});
