import type { z } from 'zod';
import type { Connection, StartedLogin } from '../../connections/index.js';
import { publicId } from '../../kernel/ids.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { ConnectionObject, StartedConnectionObject } from './schema.js';

export function renderConnection(connection: Connection): z.input<typeof ConnectionObject> {
  const { state, lastError, deviceExpiresAt, accessExpiresAt } = connection;
  const pending = state === 'pending';
  return {
    id: publicId('connection', connection.id),
    object: 'provider.connection',
    provider: publicId('provider', connection.providerId),
    state: state === 'failed' && lastError === 'access_denied' ? 'denied' : state,
    last_error: lastError,
    interval: connection.intervalSeconds,
    poll_after: pending ? unixSeconds(connection.pollAfter) : null,
    expires_at: unixSecondsOrNull(pending ? deviceExpiresAt : accessExpiresAt),
    connected_at: unixSecondsOrNull(connection.connectedAt),
    created_at: unixSeconds(connection.createdAt),
  };
}

export const renderStarted = ({
  connection,
  userCode,
  verificationUri,
  termsUrl,
}: StartedLogin): z.input<typeof StartedConnectionObject> => ({
  ...renderConnection(connection),
  user_code: userCode,
  verification_uri: verificationUri,
  terms_url: termsUrl,
});
