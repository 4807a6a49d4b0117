import { z } from 'zod';
import { type Auth, fixedHeaders } from './auth.js';

const MAX_HEADERS = 8;

/** Weir writes these itself, or they belong to the connection. */
const NOT_THEIRS =
  /^(host|content-.*|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|proxy-.*|accept|accept-encoding|user-agent)$/;

/** Several secrets, each in a header of its own: a gateway's key beside the key of what stands behind it. */
export const HeadersCredential = z.strictObject({
  type: z.literal('headers'),
  headers: z
    .record(
      z
        .string()
        .regex(/^[a-z0-9-]{1,64}$/, { error: 'must be a header name in lower case' })
        .refine((name) => !NOT_THEIRS.test(name), { error: 'is a header that Weir writes itself' }),
      z
        .string()
        .max(8_192)
        .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, { error: 'must be visible ASCII characters' }),
    )
    .refine((headers) => Object.keys(headers).length >= 1 && Object.keys(headers).length <= MAX_HEADERS, {
      error: `must have 1 to ${MAX_HEADERS} headers`,
    })
    .describe('Header names in lower case, each with its whole value, e.g. "Bearer sk-…".'),
});

export const headersAuth = ({ headers }: z.output<typeof HeadersCredential>): Auth => fixedHeaders(...Object.entries(headers).flat());
