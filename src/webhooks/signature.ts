import { createHmac, randomBytes } from 'node:crypto';
import { Secret } from '../platform/crypto/index.js';

const PREFIX = 'whsec_';
const SECRET_BYTES = 32;

/** A new secret in the form of Standard Webhooks. */
export const newSigningSecret = (): Secret => new Secret(PREFIX + randomBytes(SECRET_BYTES).toString('base64'));

/**
 * The headers of Standard Webhooks, https://www.standardwebhooks.com: a signature by each secret, so that a receiver may have any of them.
 * @param at when it is sent: receivers refuse what is old.
 */
export function signedHeaders(id: string, at: Date, body: string, secrets: readonly Secret[]): string[] {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.reveal().slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return ['webhook-id', id, 'webhook-timestamp', timestamp, 'webhook-signature', signatures.join(' ')];
}
