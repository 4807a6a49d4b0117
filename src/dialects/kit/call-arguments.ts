import { isObject, type JsonObject, parsed } from './json.js';

/** Whether the text of a call's arguments says that there are none. */
export const isNothing = (json: string): boolean => ['', 'null'].includes(json.trim());

/** A call's arguments as an object, for formats that know no other form. Nothing, blanks and `null` are no arguments. */
export function argumentsObject(json: string): { value: JsonObject; repaired: boolean } {
  if (json.trim() === '') return { value: {}, repaired: false };
  const value = parsed(json);
  if (isObject(value)) return { value, repaired: false };
  if (value === null) return { value: {}, repaired: false };
  return { value: { raw_arguments: json }, repaired: true };
}
