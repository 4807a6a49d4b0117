import { createHash, randomBytes } from 'node:crypto';
import type { LoginReply } from '../authorization-server.js';
import { LoginFailed, LoginRefused } from '../login-errors.js';
import type { DeviceLogin } from './flow.js';
import { numberIn, reasonIn, refuse, textIn } from './reply.js';

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code';
/** RFC 8628, 3.2: where the server says none. */
const DEFAULT_INTERVAL_SECONDS = 5;
const DEFAULT_LIFE_SECONDS = 900;

/** Proof that whoever asks for the token is who began (RFC 7636). */
export function newProof(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The reply to a device authorization request (RFC 8628, 3.2). @throws LoginFailed */
export function readDeviceCode(reply: LoginReply, now: number, further: Record<string, string> = {}): DeviceLogin {
  if (reply.status !== 200) throw new LoginFailed(reasonIn(reply) ?? `http_${reply.status}`);
  return {
    userCode: textIn(reply, 'user_code'),
    verificationUri: linkIn(reply, reply.body['verification_uri_complete'] ? 'verification_uri_complete' : 'verification_uri'),
    expiresAt: new Date(now + (numberIn(reply, 'expires_in') ?? DEFAULT_LIFE_SECONDS) * 1000),
    intervalSeconds: Math.max(1, Math.ceil(numberIn(reply, 'interval') ?? DEFAULT_INTERVAL_SECONDS)),
    device: { code: textIn(reply, 'device_code'), ...further },
  };
}

/** An address for a person's browser. @throws LoginFailed */
export function linkIn(reply: LoginReply, name: string): string {
  const link = textIn(reply, name);
  if (!URL.canParse(link) || !/^https?:$/.test(new URL(link).protocol)) throw new LoginFailed(`unusable_${name}`);
  return link;
}

/** The fields that ask for the token of a device code. */
export const tokenRequest = (clientId: string, code: string): Record<string, string> => ({
  client_id: clientId,
  device_code: code,
  grant_type: GRANT_TYPE,
});

/** A reply that is no token yet (RFC 8628, 3.5). @throws LoginRefused, LoginFailed */
export function readPending(reply: LoginReply): 'pending' | 'slow_down' {
  const reason = reasonIn(reply);
  if (reason === 'authorization_pending') return 'pending';
  if (reason === 'slow_down') return 'slow_down';
  if (reason === 'access_denied' || reason === 'expired_token') throw new LoginRefused(reason);
  return refuse(reply);
}
