import { z } from 'zod';
import { Secret } from '../crypto/index.js';

/** An HTTP proxy, and what it is shown. */
export interface ProxyAddress {
  host: string;
  port: number;
  /** The value of `proxy-authorization`; null: it wants none. */
  authorization: Secret | null;
}

/** The value may hold a password, so no fault repeats it. */
export const proxy = z
  .string()
  .transform((text, context) => {
    const read = proxyIn(text);
    if (read) return read;
    context.addIssue({
      code: 'custom',
      message: 'must be http://host:port or http://user:password@host:port; write any of : / @ ? # % in user and password as %3A, %2F, …',
    });
    return z.NEVER;
  })
  .optional();

function proxyIn(text: string): ProxyAddress | null {
  const [, user = '', password = '', host, digits] =
    /^http:\/\/(?:([^\s:/@?#]+)(?::([^\s:/@?#]*))?@)?(\[[\da-f:.]+\]|[^\s:/@?#[\]]+):(\d{1,5})\/?$/i.exec(text) ?? [];
  const port = Number(digits);
  if (!host || !URL.canParse(text) || port < 1) return null;
  try {
    const named = user && `${decodeURIComponent(user)}:${decodeURIComponent(password)}`;
    const authorization = named ? new Secret(`Basic ${Buffer.from(named).toString('base64')}`) : null;
    return { host: host.replace(/^\[|\]$/g, ''), port, authorization };
  } catch {
    return null;
  }
}
