import { z } from 'zod';
import { text } from '../http/fields.js';

const MAX_HEADERS = 16;
const MAX_VALUE = 4_096;
const MAX_ALL = 16 * 1_024;

/** Headers that are Weir's to set, or that steer a connection or what stands between. */
const OURS =
  /^(host|authorization|cookie|accept|accept-.*|content-.*|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|via|forwarded|x-forwarded-.*|x-real-ip|proxy-.*|cf-.*|x-weir-.*|user-agent|date|anthropic-version|anthropic-beta)$/;

const NO_NAME = 'must be a header name of lower-case letters, digits and "-" that Weir does not set itself';

const headerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, { error: NO_NAME })
  .refine((name) => !OURS.test(name), { error: NO_NAME });

export const auth = z
  .string()
  .refine(
    (style) => style === 'bearer' || style === 'none' || (style.startsWith('header:') && headerName.safeParse(style.slice(7)).success),
    {
      error: `must be "bearer", "none" or "header:" and a name; the name ${NO_NAME}`,
    },
  )
  .nullable()
  .describe('How the key is sent: `bearer`, `header:x-api-key` or another header, or `none`. Null: the default of its type.');

export const headers = z
  .record(headerName, text(MAX_VALUE).regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, { error: 'must be visible ASCII characters' }))
  .refine((all) => Object.keys(all).length <= MAX_HEADERS, { error: `must have at most ${MAX_HEADERS} names` })
  .refine((all) => Object.entries(all).reduce((sum, [name, value]) => sum + name.length + value.length, 0) <= MAX_ALL, {
    error: `must have at most ${MAX_ALL} characters in all`,
  });
