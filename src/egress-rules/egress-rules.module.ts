import { Module } from '@nestjs/common';
import { EgressRuleBook } from './egress-rule-book.js';
import { EgressRulesRepository } from './egress-rules.repository.js';
import { EgressRulesService } from './egress-rules.service.js';

@Module({ providers: [EgressRulesRepository, EgressRulesService, EgressRuleBook], exports: [EgressRulesService, EgressRuleBook] })
export class EgressRulesModule {}
