import { z } from 'zod';

/** Goes into a header, a form or a signature as it is. */
export const visible = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[\x21-\x7e]+$/, { error: 'must be visible ASCII characters without spaces' });

/** Part of a host name or a path. */
export const word = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9.:-]*$/i, { error: 'must be letters, digits, "-", "." and ":" only' });

/** One label of a host name, such as a region. */
export const hostLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, { error: 'must be lower-case letters, digits and "-" only, such as "europe-west4"' });

/** Where tokens are asked for. Whether calls may go there is checked by who knows the egress policy. */
export const tokenUrl = z
  .string()
  .max(2_048)
  .refine((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol), {
    error: 'must be a URL such as "https://login.example.com/token"',
  });
