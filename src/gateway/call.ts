import type { Caller } from '../api-keys/index.js';
import type { CallFormat, CallRequest } from '../dialects/index.js';
import type { WeirError } from '../kernel/errors.js';
import { type Id, newId } from '../kernel/ids.js';
import type { ThinkingLevel } from '../kernel/thinking.js';
import type { PresentedApproval } from '../ledger/index.js';
import { type AskedModel, needsOf, type PlanRequest } from '../routing/index.js';
import type { SessionDefaults } from '../sessions/index.js';
import { affinityOf } from './affinity.js';
import { type CallOptions, labelsOf } from './call-options.js';
import type { CallTrace } from './call-trace.js';

/** One request of a tenant, from its first byte to its booking. */
export class Call {
  readonly id: Id = newId();
  readonly receivedAt = performance.now();
  /** Null: it is not traced. */
  trace: CallTrace | null = null;
  /** Why no further attempt may be made for its caller, such as a key that was revoked since; null: one may. */
  refusal: () => WeirError | null = () => null;
  /** May hold it beyond its budgets; null: nothing may. */
  approval: PresentedApproval | null = null;
  /** It came to `inference.local`. */
  isLocal = false;
  /** For somebody to approve it. */
  waitedMs = 0;

  constructor(
    /** As the ledger names it, e.g. `chat.completions`. */
    readonly endpoint: string,
    readonly format: CallFormat,
    /** As its key is now. */
    public caller: Caller,
    readonly prompt: CallRequest,
    readonly options: CallOptions,
    /** What may answer it, in order: references, and names that routes match. */
    readonly models: readonly AskedModel[],
    /** What its session says; null: nothing. */
    readonly session: SessionDefaults | null,
  ) {}

  /** What routing is asked. */
  get planned(): PlanRequest {
    const { models, options, prompt, session, caller } = this;
    const { maxOutputTokens, inputTokensBound, body, endUser } = prompt;
    const scopes = [...caller.scopes, ...labelsOf(options, endUser)];
    const defaultModel = session?.defaultModel ?? null;
    return {
      models,
      defaultModel,
      maxOutputTokens,
      session: this.affinity,
      timeoutMs: options.timeoutMs,
      scopes,
      inputTokensBound,
      needs: () => needsOf(body),
    };
  }

  /** Calls with the same go to the same key of a provider, as long as that is not cooling down. Null: keys are used in turn. */
  get affinity(): string | null {
    return this.options.session ?? affinityOf(this.prompt);
  }

  /** How much the model is to think, unless the request itself says. */
  get thinkingLevel(): ThinkingLevel | null {
    return this.options.thinkingLevel ?? this.session?.thinkingLevel ?? this.caller.thinkingLevel;
  }

  /** Since the request arrived. */
  elapsedMs(): number {
    return performance.now() - this.receivedAt;
  }

  /** Without the time that somebody took to approve it. */
  workingMs(): number {
    return this.elapsedMs() - this.waitedMs;
  }
}
