import { Injectable } from '@nestjs/common';
import type { Hold } from '../budgets/index.js';
import { CredentialStore } from '../credentials/index.js';
import { type Conversion, pathAt, type UpstreamParams, type UpstreamRequest } from '../dialects/index.js';
import { encodedText } from '../kernel/header-text.js';
import { Egress, type Transport } from '../platform/egress/index.js';
import { CredentialAuths, Identities, MockTransport } from '../providers/index.js';
import { headersFor, type Target, type TargetPlan } from '../routing/index.js';
import type { Call } from './call.js';
import { Drains } from './drains.js';
import type { InFlightCall } from './in-flight.js';
import type { Outcome } from './outcome.js';
import type { Reply } from './reply.js';
import { type Encoder, UpstreamAttempt } from './upstream-attempt.js';

/** Sends a call to its target and relays what comes back. */
@Injectable()
export class Dispatcher {
  private readonly mock = new MockTransport();
  private readonly auths: CredentialAuths;

  constructor(
    private readonly egress: Egress,
    private readonly credentials: CredentialStore,
    private readonly drains: Drains,
    identities: Identities,
  ) {
    this.auths = new CredentialAuths(egress, identities);
  }

  /** Resolves once everything but the end of the answer is with the client. Never rejects: a failed call is an outcome too. */
  send(plan: TargetPlan, { dialect, translation, warnings }: Conversion, hold: Hold, call: Call, flight: InFlightCall): Promise<Outcome> {
    return new Promise((resolve) => {
      const { target } = plan;
      const transport: Transport = target.type === 'mock' ? this.mock : this.egress;
      const encode: Encoder = (maxOutputTokens) => {
        const request = translation.encodeRequest(rewriteFor(call, target, maxOutputTokens));
        tellClient(flight.reply, request, [...warnings, ...(call.prompt.leftOut ?? [])]);
        const accept = call.prompt.stream && translation.streams ? translation.streams.type : 'application/json';
        const unsigned = {
          origin: target.origin,
          path: pathAt(target, dialect, request.path),
          headers: headersFor(target, accept, [...request.headers, ...gatewayHeaders(target, call)]),
          body: request.body,
        };
        return {
          unsigned,
          effort: request.thinkingLevel,
          auth: target.credential && this.auths.of(target.credential, target.auth, target.origin),
        };
      };
      new UpstreamAttempt(plan, hold, call, flight, translation, transport, this.credentials, this.drains, encode, resolve).start();
    });
  }
}

/** What is written into a request on its way to a target. */
export const rewriteFor = (
  { thinkingLevel }: Call,
  { model, modelRulesOf, quirks, lent }: Target,
  maxOutputTokens: number,
): UpstreamParams => ({
  model,
  modelRulesOf,
  maxOutputTokens,
  thinkingLevel,
  quirks,
  keepNothing: lent,
});

/** What became of the request on its way into the provider's format. */
function tellClient(reply: Reply, { warnings: ofRequest, thinkingLevel }: UpstreamRequest, leftOut: readonly string[]): void {
  const warnings = [...leftOut, ...ofRequest];
  if (thinkingLevel !== null) reply.setHeader('x-weir-thinking-level', thinkingLevel);
  if (warnings.length > 0) reply.setHeader('x-weir-warnings', warningsText(warnings));
}

const MAX_WARNINGS = 2_000;

function warningsText(warnings: readonly string[]): string {
  const text = encodedText(warnings.join(' '));
  // Not within an escape.
  return text.length <= MAX_WARNINGS ? text : text.slice(0, MAX_WARNINGS).replace(/(?:%[0-9A-F]{0,2})+$/, '');
}

/** What an AI Gateway is asked for: by the provider's record, and by the client before it. */
function gatewayHeaders({ gateway }: Target, { options }: Call): readonly string[] {
  if (!gateway) return [];
  const asked = gateway.fromClient ? options.aiGateway : [];
  if (asked.length === 0) return gateway.headers;
  const names = new Set(asked.filter((_, at) => at % 2 === 0));
  const standing = gateway.headers.filter((_, at) => !names.has(gateway.headers[at - (at % 2)]!));
  return [...standing, ...asked];
}
