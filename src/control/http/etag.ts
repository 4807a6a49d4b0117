import { WeirError } from '../../kernel/errors.js';

export const IF_MATCH = { name: 'If-Match', required: false, description: 'The ETag of the version to change.' };

/** The version an `If-Match` asks for; null: any. @throws WeirError precondition_failed for what was never an ETag of ours. */
export function versionIn(ifMatch: string | undefined): number | null {
  if (ifMatch === undefined || ifMatch === '*') return null;
  const version = /^"?(\d{1,9})"?$/.exec(ifMatch)?.[1];
  if (version === undefined) throw new WeirError('precondition_failed');
  return Number(version);
}
