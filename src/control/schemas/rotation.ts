import { z } from 'zod';

const DAY_SECONDS = 86_400;
const MOST_DAYS = 30;

export const RotateKey = z
  .strictObject({
    overlap_seconds: z
      .number()
      .int()
      .min(0)
      .max(MOST_DAYS * DAY_SECONDS)
      .default(DAY_SECONDS)
      .describe('How long the present value works beside the new one. 0: it ends now. One from an earlier rotation ends in any case.'),
  })
  .default({ overlap_seconds: DAY_SECONDS });
export type RotateKey = z.output<typeof RotateKey>;
