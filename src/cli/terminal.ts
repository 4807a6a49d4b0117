import { readFileSync } from 'node:fs';
import { UsageFailure } from './failure.js';

const isTalking = (): boolean => process.stdin.isTTY === true && process.stderr.isTTY === true;

/** @throws UsageFailure when the answer is no, or when nobody is there to ask. */
export async function confirm(question: string, command: string): Promise<void> {
  if (!isTalking()) throw new UsageFailure('this cannot be undone, and there is no terminal to ask at', `${command} … --yes`);
  const answer = await ask(`${question} Sure? [y/N] `, true);
  if (!/^y(es)?$/i.test(answer)) throw new UsageFailure('nothing was done');
}

/** A secret, without showing it; all of stdin where nobody is there to ask. */
export async function readSecretly(question: string): Promise<string> {
  const text = isTalking() ? await ask(question, false) : readFileSync(0, 'utf8').trim();
  if (text === '') throw new UsageFailure('nothing was given on stdin', 'weir login < key.txt');
  return text;
}

/** @param shows what is typed. */
async function ask(question: string, shows: boolean): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const { Writable } = await import('node:stream');
  const silent = new Writable({ write: (_text, _encoding, done) => done() });
  process.stderr.write(question);
  const prompt = createInterface({ input: process.stdin, output: shows ? process.stderr : silent, terminal: true });
  try {
    return (await prompt.question('')).trim();
  } finally {
    prompt.close();
    if (!shows) process.stderr.write('\n');
  }
}
