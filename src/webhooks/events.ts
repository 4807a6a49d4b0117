import { z } from 'zod';
import { type IdKind, publicId } from '../kernel/ids.js';
import { formatUsd } from '../kernel/money.js';
import { Money, Timestamp, unixSeconds } from '../platform/openapi/index.js';
import { PLATFORM } from '../platform/postgres/index.js';

/** What an event tells, as it is sent. */
export type EventData = Readonly<Record<string, unknown>>;

/** A message about an event, for people. */
export interface Notice {
  title: string;
  text: string;
}

interface EventKind {
  /** When it is told: one sentence. */
  summary: string;
  /** Its data, beside the tenant. */
  data: z.ZodRawShape;
  notice(data: EventData): Notice;
  /** It concerns who runs the installation, and no tenant is told. */
  platformOnly?: true;
}

const id = z.string();
const text = z.string();
const usd = { currency: z.literal('usd') };
const ENDS = Timestamp.nullable().describe('Unix seconds. null: it does not end.');
const scopeValue = text.describe('What the budget counts, e.g. the id of a project.');
const ACTOR = text.describe('The id of the admin key that did it.');
const spending = {
  budget_id: id,
  scope_kind: text,
  scope_value: scopeValue,
  limit: Money,
  granted: Money,
  spent: Money,
  starts_at: Timestamp,
  ends_at: ENDS,
  ...usd,
};
const key = { api_key_id: id, project_id: id, name: text };
const target = { provider_id: id, provider: text, model: text };

const budgetOf = ({ budget_id, scope_kind, scope_value }: EventData) =>
  `The budget ${budget_id} of ${scope_kind ? `${String(scope_kind).replace('_', ' ')} ` : ''}${scope_value}`;
const untilText = ({ ends_at }: EventData) => (ends_at === null ? 'Its period does not end.' : `Its period ends at ${timeText(ends_at)}.`);
const spentText = (data: EventData) =>
  `has spent ${data['spent']} USD. Its limit is ${data['limit']} USD, with grants of ${data['granted']} USD.`;
const keyText = (data: EventData) => `The API key "${data['name']}" (${data['api_key_id']}) of the project ${data['project_id']}`;
const targetText = (data: EventData) => `The model "${data['model']}" of the provider "${data['provider']}"`;
const byText = ({ actor }: EventData) => (actor ? ` by ${actor}` : '');
const timeText = (at: unknown) => new Date(Number(at) * 1000).toISOString().replace('T', ' ').replace('.000Z', ' UTC');

/** Nothing tells of these yet. */
const later = (summary: string): EventKind => ({ summary, data: {}, notice: () => ({ title: summary, text: summary }) });

/** Every type of event that webhooks are told. What else is in the outbox is not for them. */
const EVENTS = {
  'budget.threshold_reached': {
    summary: 'A budget has spent an alert threshold of its limit. Told once per period and threshold.',
    data: { ...spending, threshold_percent: z.number().int() },
    notice: (data) => ({
      title: `A budget has reached ${data['threshold_percent']}% of its limit`,
      text: `${budgetOf(data)} ${spentText(data)} ${untilText(data)}`,
    }),
  },
  'budget.exceeded': {
    summary: 'A budget has spent its whole limit. Told once per period.',
    data: spending,
    notice: (data) => ({ title: 'A budget has spent its whole limit', text: `${budgetOf(data)} ${spentText(data)} ${untilText(data)}` }),
  },
  'budget.period_opened': {
    summary: 'A period of a budget has begun.',
    data: { budget_id: id, scope_value: scopeValue, limit: Money, starts_at: Timestamp, ends_at: ENDS, ...usd },
    notice: (data) => ({
      title: 'A budget period has begun',
      text: `${budgetOf(data)} may spend ${data['limit']} USD. ${untilText(data)}`,
    }),
  },
  'budget.period_closed': {
    summary: 'A period of a budget is over.',
    data: {
      budget_id: id,
      scope_value: scopeValue,
      limit: Money,
      granted: Money,
      spent: Money,
      held: Money.describe('Of calls that were still in flight.'),
      starts_at: Timestamp,
      ends_at: ENDS,
      ...usd,
    },
    notice: (data) => ({ title: 'A budget period is over', text: `${budgetOf(data)} ${spentText(data)}` }),
  },
  'budget.granted': {
    summary: 'A budget was given more for its present period.',
    data: { budget_id: id, scope_value: scopeValue, amount: Money, actor: ACTOR, reason: text.nullable(), ...usd },
    notice: (data) => ({
      title: 'A budget was given more',
      text: `${budgetOf(data)} may spend ${data['amount']} USD more in this period. It was granted${byText(data)}.`,
    }),
  },
  'approval.requested': {
    summary: 'A call is beyond a budget and needs an approval. Told once for each request.',
    data: {
      approval_id: id,
      project_id: id,
      api_key_id: id,
      model: text,
      endpoint: text,
      amount: Money.describe('The most the call may cost.'),
      budget_id: id.describe('The first of the budgets that have too little.'),
      scope_kind: text,
      scope_value: scopeValue,
      short: Money.describe('How much that budget lacks.'),
      expires_at: Timestamp,
      ...usd,
    },
    notice: (data) => ({
      title: 'A call needs an approval',
      text: `A call to "${data['model']}" with the API key ${data['api_key_id']} can cost up to ${data['amount']} USD. ${budgetOf(data)} has ${data['short']} USD too little. The request ${data['approval_id']} can be approved or rejected until ${timeText(data['expires_at'])}.`,
    }),
  },
  'approval.decided': {
    summary: 'A request was approved or rejected.',
    data: {
      approval_id: id,
      decision: z.enum(['approved', 'rejected']),
      kind: z.enum(['once', 'amount']).nullable().describe('null: it was rejected.'),
      amount: Money,
      actor: ACTOR,
      reason: text.nullable(),
      ...usd,
    },
    notice: (data) => ({
      title: `A request was ${data['decision']}`,
      text: `The request ${data['approval_id']} for ${data['amount']} USD was ${data['decision']}${byText(data)}.${data['reason'] ? ` The reason: ${data['reason']}` : ''}`,
    }),
  },
  'approval.expired': {
    summary: 'A request was not decided, or an approval not used, in time.',
    data: { approval_id: id, was: z.enum(['pending', 'approved']), model: text, amount: Money, ...usd },
    notice: (data) => ({
      title: 'A request is over',
      text: `The request ${data['approval_id']} for a call to "${data['model']}" was ${data['was'] === 'pending' ? 'not decided' : 'approved and not used'} in time.`,
    }),
  },
  'key.created': {
    summary: 'An API key was created.',
    data: { ...key, actor: ACTOR },
    notice: (data) => ({ title: 'An API key was created', text: `${keyText(data)} was created${byText(data)}.` }),
  },
  'key.revoked': {
    summary: 'An API key was revoked.',
    data: { ...key, actor: ACTOR },
    notice: (data) => ({ title: 'An API key was revoked', text: `${keyText(data)} was revoked${byText(data)}. It no longer works.` }),
  },
  'key.expiring': {
    summary: 'An API key expires within seven days. Told once; not of keys that were created for no longer than that.',
    data: { ...key, expires_at: Timestamp },
    notice: (data) => ({
      title: 'An API key expires soon',
      text: `${keyText(data)} expires at ${timeText(data['expires_at'])}. Create another one before that.`,
    }),
  },
  'provider.unhealthy': {
    summary:
      'A model of a provider kept failing, so calls leave it alone for a while. The tenant of the provider is told, or the platform.',
    data: { ...target, reason: text, failures: z.number().int() },
    notice: (data) => ({
      title: 'A provider keeps failing',
      text: `${targetText(data)} ${data['reason']}. Calls leave it alone for a while.`,
    }),
  },
  'provider.recovered': {
    summary: 'A model of a provider that kept failing answers again.',
    data: target,
    notice: (data) => ({ title: 'A provider works again', text: `${targetText(data)} answers again.` }),
  },
  'price.unknown': {
    summary: 'A call was served and nothing was booked for it, because its model has no price. Told once per model and day.',
    data: { provider: text, model: text, call_id: id },
    notice: (data) => ({
      title: 'A model has no price',
      text: `${targetText(data)} was called, and nothing was booked for it. Add a price.`,
    }),
  },
  'ledger.audit_failed': {
    summary: 'The audit found a fault in the ledger. The platform alone is told, once per fault.',
    data: { invariant: text, message: text, remedy: text },
    notice: (data) => ({ title: 'The audit found a fault in the ledger', text: `${data['message']} ${data['remedy']}` }),
    platformOnly: true,
  },
  'call.overrun': {
    summary: 'A call cost more than was held for it. The difference is booked as well.',
    data: { call_id: id, provider: text, model: text, project_id: id.nullable(), api_key_id: id.nullable(), overrun: Money, ...usd },
    notice: (data) => ({
      title: 'A call cost more than was held for it',
      text: `The call ${data['call_id']} to the model "${data['model']}" of the provider "${data['provider']}" cost ${data['overrun']} USD more than was held for it.`,
    }),
  },
  'export.ready': later('An export can be fetched. Not told yet.'),
  'webhook.test': {
    summary: 'An admin tests the webhook. It is told whatever types it takes.',
    data: {},
    notice: () => ({ title: 'A test of this webhook', text: 'An admin asked for this message. Nothing needs to be done.' }),
  },
} satisfies Record<string, EventKind>;

export type EventType = keyof typeof EVENTS;
export const EVENT_TYPES = Object.keys(EVENTS) as [EventType, ...EventType[]];

/** An event as the outbox has it. */
export interface StoredEvent {
  tenantId: string;
  type: EventType;
  payload: Readonly<Record<string, unknown>>;
  createdAt: Date;
}

export const kindOf = (type: EventType): EventKind => EVENTS[type];

/** What the body of an event looks like. */
export const eventSchema = (type: EventType) =>
  z.strictObject({
    type: z.literal(type),
    timestamp: z.iso.datetime().describe('When it happened.'),
    data: z.strictObject({
      tenant: z.string().nullable().describe('The tenant that it is about. null: it is about the platform.'),
      ...kindOf(type).data,
    }),
  });

/** Fields of payloads that have an id, and what it is of. */
const IDS: Readonly<Record<string, IdKind>> = {
  budget_id: 'budget',
  api_key_id: 'apiKey',
  project_id: 'project',
  provider_id: 'provider',
  call_id: 'call',
  approval_id: 'approval',
};
const NANO = '_nano';

/** What an event tells, as the REST writes it: `x_nano` becomes the decimal string `x`, times are Unix seconds, and ids have their prefixes. */
export function dataOf({ tenantId, payload }: Pick<StoredEvent, 'tenantId' | 'payload'>): EventData {
  const entries = Object.entries(payload).map(([field, value]): [string, unknown] => {
    if (value === null) return [field, null];
    if (field.endsWith(NANO)) return [field.slice(0, -NANO.length), formatUsd(BigInt(String(value)))];
    if (field.endsWith('_at')) return [field, unixSeconds(new Date(String(value)))];
    const kind = IDS[field];
    return [field, kind ? publicId(kind, String(value)) : value];
  });
  const hasMoney = Object.keys(payload).some((field) => field.endsWith(NANO));
  return {
    tenant: tenantId === PLATFORM ? null : publicId('tenant', tenantId),
    ...Object.fromEntries(entries),
    ...(hasMoney && { currency: 'usd' }),
  };
}
