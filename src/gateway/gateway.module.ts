import { Module } from '@nestjs/common';
import { ApiKeysModule } from '../api-keys/index.js';
import { ApprovalsModule } from '../approvals/index.js';
import { BreakersModule } from '../breakers/index.js';
import { CallsModule } from '../calls/index.js';
import { ConnectionsModule } from '../connections/index.js';
import { CredentialsModule } from '../credentials/index.js';
import { EgressRulesModule } from '../egress-rules/index.js';
import { IdempotencyModule } from '../idempotency/index.js';
import { InferenceLocalModule } from '../inference-local/index.js';
import { LedgerModule } from '../ledger/index.js';
import { ProvidersModule } from '../providers/index.js';
import { QuotasModule } from '../quotas/index.js';
import { RoutingModule } from '../routing/index.js';
import { SessionsModule } from '../sessions/index.js';
import { ApprovedCalls } from './approved-calls.js';
import { Drains } from './attempts/drains.js';
import { Attempts } from './attempts/send.js';
import { Subscriptions } from './attempts/subscriptions.js';
import { CallTraces } from './call-trace.js';
import { Endings } from './endings.js';
import { Estimates } from './estimates.js';
import { Holding } from './holding.js';
import { IdempotentCalls } from './idempotent-calls.js';
import { InFlight } from './in-flight.js';
import { LocalInference } from './local-inference.js';
import { Passthrough } from './passthrough/passthrough.js';
import { RawTargets } from './passthrough/raw-targets.js';
import { PriceWatch } from './price-watch.js';
import { PublicServer } from './public-server.js';
import { ReasoningMemory } from './reasoning-memory.js';
import { Relay } from './relay.js';
import { RequestAuth } from './request-auth.js';
import { RequestGate } from './request-gate.js';
import { Inference } from './surfaces/inference.js';
import { MessageCounting } from './surfaces/message-counting.js';
import { OwnAccount } from './surfaces/own-account.js';
import { OwnSessions } from './surfaces/own-sessions.js';
import { Traffic } from './traffic.js';

@Module({
  imports: [
    ApiKeysModule,
    RoutingModule,
    CredentialsModule,
    ProvidersModule,
    QuotasModule,
    LedgerModule,
    CallsModule,
    ConnectionsModule,
    IdempotencyModule,
    SessionsModule,
    BreakersModule,
    InferenceLocalModule,
    ApprovalsModule,
    EgressRulesModule,
  ],
  providers: [
    InFlight,
    Drains,
    Estimates,
    ReasoningMemory,
    PriceWatch,
    Traffic,
    CallTraces,
    Attempts,
    Subscriptions,
    Holding,
    Endings,
    ApprovedCalls,
    Relay,
    IdempotentCalls,
    RequestAuth,
    RequestGate,
    LocalInference,
    Inference,
    MessageCounting,
    OwnAccount,
    OwnSessions,
    RawTargets,
    Passthrough,
    PublicServer,
  ],
  exports: [PublicServer],
})
export class GatewayModule {}
