import type { ThinkingLevel } from '../kernel/thinking.js';

/** What a session's calls use where they say nothing else. Null: it says nothing either. */
export interface SessionDefaults {
  defaultModel: string | null;
  thinkingLevel: ThinkingLevel | null;
}

export interface Session extends SessionDefaults {
  tenantId: string;
  /** What calls send as `x-weir-session`. */
  id: string;
  createdAt: Date;
}
