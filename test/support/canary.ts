/** Where a secret must not turn up: a text, under a name that says what it is. */
export interface Emitted {
  where: string;
  text: string;
}

const SHORTEST_HALF = 12;

/** The forms a secret could leave in: as it is, its halves, backwards, and each of these encoded. */
export function formsOf(secret: string): Map<string, string> {
  const middle = Math.ceil(secret.length / 2);
  const halves = middle >= SHORTEST_HALF ? { 'first half': secret.slice(0, middle), 'second half': secret.slice(middle) } : {};
  const plain = { whole: secret, ...halves, reversed: [...secret].reverse().join('') };
  return new Map(
    Object.entries(plain).flatMap(([name, text]) => encodingsOf(text).map(([how, form]) => [`${name}, ${how}`, form] as const)),
  );
}

function encodingsOf(text: string): [string, string][] {
  const bytes = Buffer.from(text);
  const escaped = JSON.stringify(text).slice(1, -1);
  return [
    ['as it is', text],
    ...(escaped === text ? [] : [['in JSON', escaped] as [string, string]]),
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    ...(encodeURIComponent(text) === text ? [] : [['URL-encoded', encodeURIComponent(text)] as [string, string]]),
    ...(['base64', 'base64url'] as const).flatMap((encoding) =>
      [0, 1, 2].map((shift) => [`${encoding} at ${shift}`, inMidst(bytes, shift, encoding)] as [string, string]),
    ),
  ];
}

/** What of the encoding does not depend on what stands around the bytes, when they begin `shift` bytes into a group of three. */
function inMidst(bytes: Buffer, shift: number, encoding: 'base64' | 'base64url'): string {
  const start = (3 - shift) % 3;
  const end = start + Math.floor((bytes.length - start) / 3) * 3;
  return bytes.subarray(start, end).toString(encoding);
}

/** Where each secret was found, in words; never the secret. */
export function findSecrets(secrets: Readonly<Record<string, string>>, emitted: readonly Emitted[]): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    [...formsOf(secret)].flatMap(([form, text]) =>
      emitted.filter((one) => one.text.includes(text)).map(({ where }) => `${name} (${form}) in ${where}`),
    ),
  );
}
