import { createHmac, type KeyObject, randomBytes } from 'node:crypto';

const SECRET_BYTES = 32;

/** A secret that is given out once. It has 256 random bits, so its digest needs no stretching. */
export const newToken = (): string => randomBytes(SECRET_BYTES).toString('base64url');

/** What is stored of a secret. @param use what it is for, so that one is never taken for another. */
export const tokenDigest = (
  pepper: KeyObject,
  use: 'session' | 'invite' | 'link' | 'recovery' | 'device' | 'directory',
  token: string,
): Buffer => createHmac('sha256', pepper).update(`${use}|${token}`).digest();
