/** A JSON web token. @param sign the signature of the text that goes before it. */
export function encodeJwt(header: object, claims: object, sign: (text: string) => Buffer): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign(text).toString('base64url')}`;
}
