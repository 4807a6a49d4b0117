import { found } from '../../kernel/found.js';
import { type Id, type IdKind, parsePublicId } from '../../kernel/ids.js';

/** The id in a path. One that cannot be is as unknown as one that is somebody else's. @throws WeirError not_found */
export function idOf(kind: IdKind, text: string, param?: string): Id {
  return found(kind, parsePublicId(kind, text), param);
}
