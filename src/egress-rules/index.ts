export { type EgressRule, faultOfCall, faultOfParameter, faultOfPath, METHODS, type Method, nameOf } from './egress-rule.js';
export { EgressRuleBook } from './egress-rule-book.js';
export { EgressRulesModule } from './egress-rules.module.js';
export type { NewEgressRule } from './egress-rules.repository.js';
export { EgressRulesService } from './egress-rules.service.js';
