import type { EgressRequest } from '../platform/egress/index.js';
import type { Auth } from '../providers/index.js';

/** A request that is final but for what shows the credential. */
export interface Encoded {
  unsigned: EgressRequest;
  /** How much the model is to think, as the request says it; null: it says nothing. */
  effort: string | null;
  /** Null: the provider takes none. */
  auth: Auth | null;
}
