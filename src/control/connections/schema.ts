import { z } from 'zod';
import { Timestamp } from '../http/fields.js';

export const ConnectionObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('provider.connection'),
    provider: z.string(),
    state: z
      .enum(['pending', 'connected', 'denied', 'expired', 'failed'])
      .describe(
        '`pending`: the person has not answered yet. `denied`: the person refused. `expired`: the person did not answer in time, or the login has ended.',
      ),
    last_error: z.string().nullable().describe("The vendor's error code, such as `invalid_grant`."),
    interval: z.number().int().describe('Seconds to wait between two polls while the login is pending.'),
    poll_after: Timestamp.nullable().describe('A poll before this time is not sent to the vendor. Null: nothing to poll for.'),
    expires_at: Timestamp.nullable().describe(
      'Until when the code may be entered; of a connection, when its present token ends, which is then renewed.',
    ),
    connected_at: Timestamp.nullable(),
    created_at: Timestamp,
  })
  .meta({ id: 'ProviderConnection' });

export const StartedConnectionObject = ConnectionObject.extend({
  user_code: z.string().describe('The code that the person enters at `verification_uri`.'),
  verification_uri: z.string(),
  terms_url: z.string().describe("The address of the vendor's terms, which the person who logs in accepts."),
}).meta({ id: 'StartedProviderConnection' });
