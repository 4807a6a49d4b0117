import { z } from 'zod';
import { publicId } from '../kernel/ids.js';
import { formatUsd } from '../kernel/money.js';
import { Currency, Money, Timestamp, unixSeconds, unixSecondsOrNull } from '../platform/openapi/index.js';
import { APPROVAL_STATES, type Approval, type Short } from './approval.js';

const ShortObject = z.strictObject({
  budget_id: z.string(),
  scope: z.strictObject({ kind: z.string(), value: z.string() }),
  limit: Money,
  spent: Money,
  held: Money,
  short: Money.describe('How much it lacks for the call.'),
  resets_at: Timestamp.nullable(),
});

/** What `renderApproval` returns. */
export const ApprovalObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('approval'),
    created_at: Timestamp,
    state: z.enum(APPROVAL_STATES).describe('`used`: by the call it was for.'),
    project_id: z.string(),
    api_key_id: z.string(),
    endpoint: z.string(),
    model: z.string().describe('As it was asked for.'),
    end_user: z.string().nullable(),
    session: z.string().nullable(),
    tags: z.array(z.string()),
    amount: Money.describe('The most the call may cost.'),
    currency: Currency,
    budgets: z.array(ShortObject).describe('The budgets that had too little when it was asked for.'),
    decider: z.enum(['operator', 'approver']).describe('Who may decide it: where an operator set one of the budgets, only an operator.'),
    four_eyes: z.boolean().describe('Whoever owns or made the API key may not decide it.'),
    decision: z
      .strictObject({
        by: z.string(),
        at: Timestamp,
        kind: z
          .enum(['once', 'amount'])
          .nullable()
          .describe('`once`: this very call. `amount`: more for each of the budgets. null: it was rejected.'),
        granted: Money.nullable().describe('Of kind `amount`: on each of the budgets.'),
        reason: z.string().nullable(),
      })
      .nullable(),
    expires_at: Timestamp.nullable().describe(
      'Until when it can be decided, used, or spent. null: what was granted stays until the periods of the budgets end.',
    ),
  })
  .meta({ id: 'Approval' });

/** As whoever asked and whoever decides read it. */
export const renderApproval = (approval: Approval): z.input<typeof ApprovalObject> => ({
  id: publicId('approval', approval.id),
  object: 'approval',
  created_at: unixSeconds(approval.createdAt),
  state: approval.state,
  project_id: publicId('project', approval.projectId),
  api_key_id: publicId('apiKey', approval.apiKeyId),
  endpoint: approval.endpoint,
  model: approval.model,
  end_user: approval.endUser,
  session: approval.session,
  tags: [...approval.tags],
  amount: formatUsd(approval.amount),
  currency: 'usd',
  budgets: approval.shorts.map(renderShort),
  decider: approval.byOperator ? 'operator' : 'approver',
  four_eyes: approval.fourEyes,
  decision:
    approval.decidedBy === null
      ? null
      : {
          by: approval.decidedBy,
          at: unixSeconds(approval.decidedAt!),
          kind: approval.kind,
          granted: approval.granted === null ? null : formatUsd(approval.granted),
          reason: approval.reason,
        },
  expires_at: unixSecondsOrNull(approval.expiresAt),
});

export const renderShort = ({
  budgetId,
  scopeKind,
  scopeValue,
  limit,
  spent,
  held,
  short,
  resetsAt,
}: Short): z.input<typeof ShortObject> => ({
  budget_id: publicId('budget', budgetId),
  scope: { kind: scopeKind, value: scopeValue },
  limit: formatUsd(limit),
  spent: formatUsd(spent),
  held: formatUsd(held),
  short: formatUsd(short),
  resets_at: resetsAt,
});
