import { writeJson } from './json.js';

/** A call's arguments as JSON text, of formats that give them as an object or as text; empty when there are none. */
export function argumentsText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : writeJson(value);
}
