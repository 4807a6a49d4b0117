import { WeirError } from '../../kernel/errors.js';

/** A model id as one segment of a path. @throws WeirError invalid_request when it would leave the path it stands in. */
export function pathSegment(modelId: string): string {
  if (modelId === '' || modelId === '.' || modelId === '..')
    throw new WeirError('invalid_request', { param: 'model', message: `"${modelId}" is no model id.` });
  return encodeURIComponent(modelId);
}
