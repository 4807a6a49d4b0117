import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import {
  type EgressRule,
  EgressRulesService,
  faultOfParameter,
  faultOfPath,
  type NewEgressRule,
  nameOf,
} from '../../egress-rules/index.js';
import { WeirError } from '../../kernel/errors.js';
import { assertMayChange, assertMaySetSetter, type Setter } from '../../kernel/setter.js';
import { CONFIG, type Config } from '../../platform/config/index.js';
import { isVendorAddress, rawAccessFault } from '../../providers/index.js';
import { References } from '../../routing/index.js';
import { Access } from '../http/access.js';
import { ActsAs, TenantId } from '../http/admin.js';
import { ChecksIfMatch, IfMatch } from '../http/etag.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderEgressRule } from './render.js';
import { CreateEgressRule, EgressRuleObject, UpdateEgressRule } from './schema.js';

@Controller('v1/organization/egress_rules')
@Access('egress_rules')
export class EgressRulesController {
  constructor(
    private readonly rules: EgressRulesService,
    private readonly references: References,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @Answers(
    EgressRuleObject,
    "Create an egress rule: a path of a provider's own API that calls to `/v1/passthrough/{provider}/…` may reach as it is. Paths of keys, billing and accounts are refused, and those that call models.",
  )
  async create(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Body({ schema: CreateEgressRule }) body: CreateEgressRule,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { external_id: externalId = null, metadata = {}, ...asked } = body;
    const rule = { tenantId, ...asked, setBy: by, externalId, metadata };
    const saved = { ...rule, origin: await this.originFor(rule) };
    return render(await this.rules.create(saved, by === 'operator' ? null : this.config.maxRules.ofTenant), reply);
  }

  @Get()
  @Answers(listOf(EgressRuleObject), 'List egress rules.')
  async list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.rules.list(tenantId), 'egressRule', query);
    return renderList(items.map(renderEgressRule), hasMore);
  }

  @Get(':egress_rule_id')
  @Answers(EgressRuleObject, 'Read an egress rule. Its version is the ETag.')
  async get(@TenantId() tenantId: string, @Param('egress_rule_id') id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return render(await this.rules.get(tenantId, idOf('egressRule', id)), reply);
  }

  @PostOrPatch(':egress_rule_id')
  @Answers(
    EgressRuleObject,
    'Update an egress rule. With If-Match it is updated only if it still has that version. It is for the address that the provider has now.',
  )
  @ChecksIfMatch()
  async update(
    @TenantId() tenantId: string,
    @ActsAs() by: Setter,
    @Param('egress_rule_id') id: string,
    @IfMatch() version: number | null,
    @Body({ schema: UpdateEgressRule }) body: UpdateEgressRule,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { set_by: setBy, ...others } = body;
    const rule = await this.changeable(tenantId, id, by);
    assertMaySetSetter(setBy, by);
    const asked = Object.fromEntries(Object.entries({ ...others, setBy }).filter(([, value]) => value !== undefined));
    const changes: Partial<NewEgressRule> = { ...asked, origin: await this.originFor({ ...rule, ...asked }) };
    return render(await this.rules.update(tenantId, rule.id, changes, version), reply);
  }

  @Delete(':egress_rule_id')
  @Answers(
    deleted('egress_rule'),
    'Delete an egress rule. With If-Match it is deleted only if it still has that version. The next call is refused.',
  )
  @ChecksIfMatch()
  async delete(@TenantId() tenantId: string, @ActsAs() by: Setter, @Param('egress_rule_id') id: string, @IfMatch() version: number | null) {
    await this.rules.delete(tenantId, (await this.changeable(tenantId, id, by)).id, version);
    return { id, object: 'egress_rule' as const, deleted: true as const };
  }

  /** @throws WeirError not_found, platform_rule */
  private async changeable(tenantId: string, id: string, by: Setter): Promise<EgressRule> {
    const rule = await this.rules.get(tenantId, idOf('egressRule', id));
    assertMayChange(rule, by);
    return rule;
  }

  /** The address that a rule is for. @throws WeirError invalid_request for a rule that can allow nothing, or that would allow too much. */
  private async originFor(rule: Omit<NewEgressRule, 'origin'>): Promise<string> {
    const fault = faultOfPath(rule.method, rule.path);
    if (fault !== null) throw invalid('path', `"${nameOf(rule)}" ${fault}.`);
    for (const [at, name] of rule.query.entries()) {
      const wrong = faultOfParameter(name);
      if (wrong !== null) throw invalid(`query.${at}`, `"${name}" ${wrong}.`);
    }
    const provider = await this.references.provider(rule.tenantId, rule.provider, 'provider');
    const refused = rawAccessFault(provider);
    if (refused !== null) throw invalid('provider', refused);
    const { origin } = new URL(provider.baseUrl);
    if (rule.setBy === 'tenant' && !isVendorAddress(provider.baseUrl))
      throw invalid(
        'provider',
        `${origin} is not the address of a known vendor, and what answers there may not be for you to read. Ask the operator of this installation to set the rule.`,
      );
    return origin;
  }
}

const invalid = (param: string, message: string): WeirError => new WeirError('invalid_request', { param, message });

function render(rule: EgressRule, reply: FastifyReply): EgressRuleObject {
  reply.header('etag', `"${rule.version}"`);
  return renderEgressRule(rule);
}
