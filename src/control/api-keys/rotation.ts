import { z } from 'zod';

const DAY_SECONDS = 86_400;
const MAX_DAYS = 30;

export const RotateKey = z
  .strictObject({
    overlap_seconds: z
      .number()
      .int()
      .min(0)
      .max(MAX_DAYS * DAY_SECONDS)
      .default(DAY_SECONDS)
      .describe(
        'How long the old value keeps working. 0: it stops working now. A value from an earlier rotation stops working in any case.',
      ),
  })
  .default({ overlap_seconds: DAY_SECONDS })
  .meta({ example: { overlap_seconds: 3600 } });
export type RotateKey = z.output<typeof RotateKey>;
