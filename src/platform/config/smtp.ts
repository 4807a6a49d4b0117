import { z } from 'zod';
import { Secret } from '../crypto/index.js';

/** The value may hold a password, so no fault repeats it. */
export const smtpUrl = z
  .string()
  .regex(/^smtps?:\/\/(?:[^\s:/@?#]+(?::[^\s:/@?#]*)?@)?(?:\[[\da-f:.]+\]|[^\s:/@?#[\]]+)(?::\d{1,5})?\/?$/i, {
    error: 'must be smtp://host:port or smtps://user:password@host:port; write any of : / @ ? # % in user and password as %3A, %2F, …',
  })
  .refine((text) => URL.canParse(text), { error: 'must have a host and a port that can be' })
  .transform((text) => new Secret(text))
  .optional();

export const smtpFrom = z
  .string()
  .regex(/^(?:[^<>@\r\n]+ <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, {
    error: 'must be an address such as weir@example.com, or Weir <weir@example.com>',
  })
  .optional();
