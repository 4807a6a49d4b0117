/** What a JSON web token signs. */
export const jwtText = (header: object, claims: object): string =>
  [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

/** A JSON web token. @param signature of its text. */
export const encodeJwt = (text: string, signature: Buffer): string => `${text}.${signature.toString('base64url')}`;
