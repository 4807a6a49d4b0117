import { Module, type OnModuleInit, type Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { PassportModule } from '@nestjs/passport';
import { ApiKeysModule } from '../api-keys/index.js';
import { ApprovalsModule } from '../approvals/index.js';
import { AuditLogModule } from '../audit-log/index.js';
import { CallsModule } from '../calls/index.js';
import { EgressRulesModule } from '../egress-rules/index.js';
import { InferenceLocalModule } from '../inference-local/index.js';
import { LedgerModule } from '../ledger/index.js';
import { ModelsModule } from '../models/index.js';
import { PeopleModule } from '../people/index.js';
import { PricesModule } from '../prices/index.js';
import { ProviderAccountsModule } from '../provider-accounts/index.js';
import { QuotasModule } from '../quotas/index.js';
import { RoutesModule } from '../routes/index.js';
import { RoutingModule } from '../routing/index.js';
import { TenantsModule } from '../tenants/index.js';
import { WebhooksModule } from '../webhooks/index.js';
import { AdminKeysController, OperatorKeysController } from './admin-keys/admin-keys.controller.js';
import { ApiKeysController } from './api-keys/api-keys.controller.js';
import { ApprovalsController } from './approvals/approvals.controller.js';
import { AuditLogsController, PlatformAuditLogsController } from './audit-log/audit-log.controller.js';
import { AuthController } from './auth/auth.controller.js';
import { PasswordStrategy } from './auth/password.guard.js';
import { SignInController } from './auth/sign-in.controller.js';
import { SignIns } from './auth/sign-ins.js';
import { BudgetsController } from './budgets/budgets.controller.js';
import { CallsController } from './calls/calls.controller.js';
import { ConnectionsController } from './connections/connections.controller.js';
import { EgressRulesController } from './egress-rules/egress-rules.controller.js';
import { GatewaysController } from './gateways/gateways.controller.js';
import { undeclaredRoutes } from './http/access.js';
import { AdminGate } from './http/admin-gate.js';
import { Browsers } from './http/browsers.js';
import { ErrorFilter } from './http/error.filter.js';
import { IfMatchGuard } from './http/etag.js';
import { IdempotencyInterceptor } from './http/idempotency.interceptor.js';
import { IdempotencyRepository } from './http/idempotency.repository.js';
import { NextRequestInterceptor } from './http/next-request.interceptor.js';
import { AdminKeyStrategy, OperatorGuard, SessionStrategy } from './http/operator.guard.js';
import { RequestPipe } from './http/request.pipe.js';
import { TenantScopeInterceptor } from './http/tenant-scope.interceptor.js';
import { BindingsController, TenantBindingsController } from './inference/bindings.controller.js';
import { Bindings } from './inference/bindings.js';
import { InferenceController, PlatformInferenceController } from './inference/inference.controller.js';
import { InferenceRoutes } from './inference/inference-routes.js';
import { InvitesController, OperatorInvitesController } from './invites/invites.controller.js';
import { LimitsController } from './limits/limits.controller.js';
import { ModelsController } from './models/models.controller.js';
import { OperatorsController, PeopleController } from './people/people.controller.js';
import { PlatformCredentialsController } from './platform-credentials/platform-credentials.controller.js';
import { PlatformPricesController, PricesController } from './prices/prices.controller.js';
import { ProjectsController } from './projects/projects.controller.js';
import { ProviderTypesController } from './provider-types/provider-types.controller.js';
import { ProvidersController } from './providers/providers.controller.js';
import { ResolveController } from './routes/resolve.controller.js';
import { PlatformRoutesController, RoutesController } from './routes/routes.controller.js';
import { ScimController } from './scim/scim.controller.js';
import { Scopes } from './scopes/scopes.js';
import { SettingsController } from './settings/settings.controller.js';
import { SignInLinksController } from './sign-in-links/sign-in-links.controller.js';
import { SingleSignOnController } from './single-sign-on/single-sign-on.controller.js';
import { TenantsController } from './tenants/tenants.controller.js';
import { UsageController } from './usage/usage.controller.js';
import { PlatformWebhooksController, WebhooksController } from './webhooks/webhooks.controller.js';

/** The admin REST: guard, pipe, interceptor and filter hold for every route of the admin listener. */
@Module({
  imports: [
    DiscoveryModule,
    PassportModule,
    TenantsModule,
    ApiKeysModule,
    PeopleModule,
    PricesModule,
    ModelsModule,
    QuotasModule,
    LedgerModule,
    RoutesModule,
    RoutingModule,
    ProviderAccountsModule,
    InferenceLocalModule,
    EgressRulesModule,
    CallsModule,
    AuditLogModule,
    ApprovalsModule,
    WebhooksModule,
  ],
  controllers: [
    AuditLogsController,
    PlatformAuditLogsController,
    SettingsController,
    TenantsController,
    GatewaysController,
    PlatformCredentialsController,
    PlatformPricesController,
    PlatformRoutesController,
    ProjectsController,
    ApiKeysController,
    AdminKeysController,
    OperatorKeysController,
    SignInController,
    AuthController,
    PeopleController,
    OperatorsController,
    ScimController,
    InvitesController,
    OperatorInvitesController,
    SignInLinksController,
    SingleSignOnController,
    ProvidersController,
    ConnectionsController,
    ProviderTypesController,
    PricesController,
    ModelsController,
    RoutesController,
    ResolveController,
    InferenceController,
    PlatformInferenceController,
    BindingsController,
    TenantBindingsController,
    EgressRulesController,
    BudgetsController,
    ApprovalsController,
    LimitsController,
    UsageController,
    CallsController,
    WebhooksController,
    PlatformWebhooksController,
  ],
  providers: [
    AdminGate,
    Browsers,
    AdminKeyStrategy,
    SessionStrategy,
    PasswordStrategy,
    SignIns,
    IdempotencyRepository,
    Scopes,
    InferenceRoutes,
    Bindings,
    { provide: APP_GUARD, useClass: OperatorGuard },
    { provide: APP_GUARD, useClass: IfMatchGuard },
    { provide: APP_PIPE, useClass: RequestPipe },
    // In this order: each runs inside of the one before.
    { provide: APP_INTERCEPTOR, useClass: NextRequestInterceptor },
    { provide: APP_INTERCEPTOR, useClass: TenantScopeInterceptor },
    { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
    { provide: APP_FILTER, useClass: ErrorFilter },
  ],
})
export class ControlModule implements OnModuleInit {
  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws when a route does not declare who may call it. */
  onModuleInit(): void {
    const undeclared = this.discovery.getControllers().flatMap(({ metatype }) => undeclaredRoutes(metatype as Type));
    if (undeclared.length > 0) throw new Error(`these routes do not declare who may call them: ${undeclared.join(', ')}`);
  }
}
