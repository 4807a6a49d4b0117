import { ownTurn } from '../../kernel/slices.js';
import type { EgressRequest } from '../../platform/egress/index.js';
import type { Auth } from '../../providers/index.js';

/** A request that is final but for what shows the credential. */
export interface EncodedRequest {
  unsigned: EgressRequest;
  /** How much the model is to think, as the request says it; null: it says nothing. */
  effort: string | null;
  /** Null: the provider takes none. */
  auth: Auth | null;
}

/** A long body is still in parts, which JavaScript joins where it is first read: here, in a turn for this alone. */
export async function joinBody({ unsigned }: EncodedRequest): Promise<void> {
  await ownTurn();
  unsigned.body.charCodeAt(0);
  await ownTurn();
}
