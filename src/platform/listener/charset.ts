import type { IncomingMessage } from 'node:http';
import { WeirError } from '../../kernel/errors.js';

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;
/** ASCII is a part of it. */
const UTF_8 = /^(?:utf-?8|us-ascii|ascii)$/i;

/** @throws WeirError unsupported_media_type where the head announces text that is not UTF-8. */
export function requireUtf8({ headers }: IncomingMessage): void {
  const charset = CHARSET.exec(headers['content-type'] ?? '')?.[1];
  if (charset === undefined || UTF_8.test(charset)) return;
  throw new WeirError('unsupported_media_type', { message: NOT_UTF_8 });
}

const NOT_UTF_8 = 'The body is announced in another character set. Send it in UTF-8, as "Content-Type: application/json; charset=utf-8".';
