import { stripVTControlCharacters, styleText } from 'node:util';
import type { Json } from './client.js';

interface Writer {
  readonly columns?: number;
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** How results are written. People get tables; pipes get values with tabs between them; `--json` is JSON, a line per item. */
export interface Form {
  readonly json: boolean;
  /** Only this field. */
  readonly field?: string;
  readonly out: Writer;
  readonly color: boolean;
}

const GAP = '  ';
const MIN_WIDTH = 60;
const KEYS = /\bweir_(sk|adm|op)_[\w-]+|\bwhsec_[\w+/=-]+|\bsk-[\w-]{8,}/g;

/** Texts that people mistype may hold a key. */
export const redact = (text: string): string => text.replace(KEYS, (key) => `${key.slice(0, key.lastIndexOf('_', 9) + 1) || 'sk-'}…`);

export function printItem(item: Json, form: Form): void {
  if (form.json) return void form.out.write(`${JSON.stringify(item)}\n`);
  if (form.field !== undefined) return void form.out.write(`${cell(at(item, form.field), form.field)}\n`);
  const lines = flat(item).filter(([name, value]) => name !== 'object' && value !== undefined);
  const width = Math.max(...lines.map(([name]) => name.length));
  for (const [name, value] of lines)
    form.out.write(form.out.isTTY ? `${bold(name.padEnd(width), form)}${GAP}${cell(value, name)}\n` : `${name}\t${cell(value, name)}\n`);
}

/** @param columns paths of fields. */
export function printList(items: readonly Json[], columns: readonly string[], form: Form): void {
  if (form.json || form.field !== undefined) {
    for (const item of items) printItem(item, form);
    return;
  }
  const rows = items.map((item) => columns.map((column) => cell(at(item, column), column)));
  if (form.out.isTTY) printTable(columns.map(heading), rows, form);
  else for (const row of rows) form.out.write(`${row.join('\t')}\n`);
}

/** Columns as wide as their longest value. The line ends where the terminal does. */
function printTable(headings: readonly string[], rows: readonly string[][], form: Form): void {
  const shown = rows.map((row) => row.map((value) => value || '-'));
  const widths = headings.map((name, index) => Math.max(name.length, ...shown.map((row) => row[index]!.length)));
  const line = (values: readonly string[]): string => {
    const text = values
      .map((value, index) => value.padEnd(widths[index]!))
      .join(GAP)
      .trimEnd();
    const width = Math.max(form.out.columns ?? MIN_WIDTH, MIN_WIDTH);
    return text.length > width ? `${text.slice(0, width - 1)}…` : text;
  };
  form.out.write(`${bold(line(headings), form)}\n`);
  for (const row of shown) form.out.write(`${line(row)}\n`);
}

const bold = (text: string, form: Form): string => (form.color ? styleText('bold', text, { validateStream: false }) : text);

const heading = (column: string): string =>
  column
    .replace(/^(current_period|usage)\./, '')
    .replaceAll(/[._]/g, ' ')
    .toUpperCase();

/** The value at `a.b`, or under that very name. */
function at(item: Json, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Json | null | undefined)?.[name], item);
}

/** Fields of objects in objects, with dots between their names. */
function flat(item: Json, prefix = ''): [name: string, value: unknown][] {
  return Object.entries(item).flatMap(([name, value]) =>
    value instanceof Object && !Array.isArray(value) && Object.keys(value).length > 0
      ? flat(value as Json, `${prefix}${name}.`)
      : [[prefix + name, value] as [string, unknown]],
  );
}

/** One line, and nothing in it that a terminal obeys. */
function cell(value: unknown, name: string): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' && /(_at|_time|_until)$/.test(name)) return new Date(value * 1_000).toISOString().replace('.000Z', 'Z');
  return plain(Array.isArray(value) ? value.map(itemText).join(', ') : typeof value === 'object' ? JSON.stringify(value) : String(value));
}

const itemText = (item: unknown): string =>
  item instanceof Object ? String((item as Json)['model'] ?? JSON.stringify(item)) : String(item);

/** Names and messages are other people's words. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
export const plain = (text: string): string => stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
