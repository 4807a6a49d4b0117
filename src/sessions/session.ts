import type { ThinkingLevel } from '../kernel/thinking.js';

/** What a session's calls use where they say nothing else. Null: it says nothing either. */
export interface SessionDefaults {
  defaultModel: string | null;
  thinkingLevel: ThinkingLevel | null;
}

/** Whose session it is: each project has its own. */
export interface SessionKey {
  tenantId: string;
  projectId: string;
  /** What calls send as `x-weir-session`. */
  id: string;
}

export interface Session extends SessionKey, SessionDefaults {
  createdAt: Date;
}
