import { Alarm } from './alarm.js';
import type { Logger } from './logger.js';

test('an alarm is one line, also where the error has several; it is said once a minute, and when it is over', () => {
  const lines: string[] = [];
  const say = ({ reason }: { reason?: string }, message: string) => void lines.push(reason ? `${message}: ${reason}` : message);
  const alarm = new Alarm({ error: say, info: say } as unknown as Logger, 'the part cannot work', 'the part works again');
  for (let i = 0; i < 3; i++) alarm.raise(new Error('\nInvalid `query` invocation:\n\n\nCannot reach it'));
  expect(alarm.reason).toBe('Invalid `query` invocation: Cannot reach it');
  alarm.clear();
  alarm.clear();
  expect(lines).toEqual(['the part cannot work: Invalid `query` invocation: Cannot reach it', 'the part works again']);
});
