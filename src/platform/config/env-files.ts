import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';

type Variables = Record<string, string | undefined>;

/**
 * The variables in a file of `NAME=value` lines; none where there is no file. Editors of Windows begin files with a byte-order mark, and some
 * write UTF-16: such a file is read as it is meant.
 * @param faults gets what cannot be read.
 */
export function readEnvFile(path: string, faults: string[]): Variables {
  if (!existsSync(path)) return {};
  const text = decode(readFileSync(path));
  if (text === null) {
    faults.push(`${path} is not written in UTF-8. Save it as UTF-8.`);
    return {};
  }
  for (const line of oddLines(text)) faults.push(`${path}, line ${line}: it must be NAME=value, or a comment that begins with #`);
  return parseEnv(text);
}

/** Null: it is in an encoding that is not known. */
function decode(bytes: Buffer): string | null {
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

const ASSIGNMENT = /^\s*(?:export\s+)?[A-Za-z_][\w.-]*\s*=\s*(.*)$/;

/** The numbers of lines that say nothing. A quoted value may go on over several lines. */
function oddLines(text: string): number[] {
  const odd: number[] = [];
  let quote: string | null = null;
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (quote !== null) {
      if (line.includes(quote)) quote = null;
      continue;
    }
    if (/^\s*(?:#|$)/.test(line)) continue;
    const value = ASSIGNMENT.exec(line)?.[1];
    if (value === undefined) odd.push(index + 1);
    else if (/^["'`]/.test(value) && !value.slice(1).includes(value[0]!)) quote = value[0]!;
  }
  return odd;
}

/** Variables that Kubernetes sets for each Service of a namespace. Those of a Service named `weir` look like Weir's own. */
export const isServiceLink = (name: string, value: string): boolean =>
  /^(?:tcp|udp|sctp):\/\//.test(value) || /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?$/.test(name);

/** The text of a file that a variable names, as a secret in it: without the line end that editors leave. @throws Error where there is none */
export function readSecretFile(name: string, path: string, directory: string): string {
  let text: string;
  try {
    text = readFileSync(resolve(directory, path), 'utf8').replace(/\r?\n$/, '');
  } catch {
    throw new Error(`${name} names a file that cannot be read: ${path}`);
  }
  if (text.trim() === '') throw new Error(`${name} names a file with nothing in it: ${path}; write the secret into it`);
  return text;
}
