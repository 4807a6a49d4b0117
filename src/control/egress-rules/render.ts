import type { EgressRule } from '../../egress-rules/index.js';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import type { Setter } from '../../kernel/setter.js';
import { unixSeconds } from '../http/fields.js';
import type { EgressRuleObject } from './schema.js';

export const renderEgressRule = (rule: EgressRule): EgressRuleObject => ({
  id: publicId('egressRule', rule.id),
  object: 'egress_rule',
  provider: rule.provider,
  origin: rule.origin,
  method: rule.method,
  path: rule.path,
  query: [...rule.query],
  price: rule.price === null ? null : formatUsd(rule.price),
  set_by: rule.setBy as Setter,
  version: rule.version,
  external_id: rule.externalId,
  metadata: rule.metadata as Record<string, string>,
  created_at: unixSeconds(rule.createdAt),
});
