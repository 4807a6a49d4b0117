/** Looks for string values in a JSON text without parsing it: for streams, where most events only pass through. */

/**
 * Calls `found` with where each string value of a key lies, its quotes left out. A key inside a string has escaped quotes and does not match.
 * @param key with its quotes, e.g. `"content"`. @param from where to begin.
 */
export function eachString(json: string, key: string, found: (start: number, end: number) => void, from = 0): void {
  for (let at = json.indexOf(key, from); at !== -1; at = json.indexOf(key, at)) {
    at += key.length;
    const start = stringStart(json, at);
    if (start === -1) continue;
    at = stringEnd(json, start);
    found(start, at);
  }
}

/** Position after the opening quote of the value that follows a key; -1 when the value is no string. */
function stringStart(json: string, afterKey: number): number {
  const colon = skipSpace(json, afterKey);
  if (json[colon] !== ':') return -1;
  const value = skipSpace(json, colon + 1);
  return json[value] === '"' ? value + 1 : -1;
}

function skipSpace(json: string, at: number): number {
  let next = at;
  while (json[next] === ' ' || json[next] === '\t') next++;
  return next;
}

/** Position of the quote that ends a string; the end of the text when it is cut. */
function stringEnd(json: string, start: number): number {
  for (let quote = json.indexOf('"', start); quote !== -1; quote = json.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (json[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote;
  }
  return json.length;
}
