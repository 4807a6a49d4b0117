import { z } from 'zod';
import { APPROVAL_STATES } from '../../approvals/index.js';
import { text, usd } from '../http/fields.js';
import { ListQuery } from '../http/list.js';

const MAX_SECONDS = 366 * 86_400;

export const ApprovalQuery = ListQuery.extend({ state: z.enum(APPROVAL_STATES).optional().describe('Absent: all.') });
export type ApprovalQuery = z.output<typeof ApprovalQuery>;

const reason = text(1_000).optional().describe('Whoever asked reads it.');

export const Approve = z
  .strictObject({
    amount: usd
      .refine((nano) => nano > 0n, { error: 'must be above zero' })
      .optional()
      .describe(
        'USD that each of the budgets may spend in addition, whatever calls for it. Absent: this very call is approved, once, for 15 minutes.',
      ),
    seconds: z
      .number()
      .int()
      .min(60)
      .max(MAX_SECONDS)
      .optional()
      .describe('Of an amount: how long it lasts; what is left of it then is taken back. Absent: as long as the periods of the budgets.'),
    reason,
  })
  .refine(({ amount, seconds }) => amount !== undefined || seconds === undefined, {
    error: 'is of an amount only: send "amount" too',
    path: ['seconds'],
  })
  .optional()
  .meta({ example: { amount: '2.50', seconds: 3600, reason: 'a launch' } });
export type Approve = z.output<typeof Approve>;

export const Reject = z
  .strictObject({ reason })
  .optional()
  .meta({ example: { reason: 'use a smaller model' } });
export type Reject = z.output<typeof Reject>;
