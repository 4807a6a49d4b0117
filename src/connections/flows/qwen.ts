import type { LoginReply } from '../authorization-server.js';
import { newProof, readDeviceCode, readPending, tokenRequest } from './device-code.js';
import type { Flow, TokenGrant } from './flow.js';
import { endsIn, numberIn, optionalTokenIn, refuse, tokenIn } from './reply.js';

const DEVICE_URL = 'https://chat.qwen.ai/api/v1/oauth2/device/code';
const TOKEN_URL = 'https://chat.qwen.ai/api/v1/oauth2/token';
const SCOPE = 'openid profile email model.completion';

/** Qwen Code: RFC 8628 with a proof, and the address of calls comes with the token. */
export const qwen: Flow = {
  renewAheadMs: 60_000,
  domains: ['qwen.ai', 'aliyuncs.com'],

  async start({ server, clientId, now }) {
    const { verifier, challenge } = newProof();
    const fields = { client_id: clientId, scope: SCOPE, code_challenge: challenge, code_challenge_method: 'S256' };
    return readDeviceCode(await server.postForm(DEVICE_URL, fields), now, { verifier });
  },

  async poll({ server, clientId, now }, device) {
    const fields = { ...tokenRequest(clientId, device['code']!), code_verifier: device['verifier']! };
    const reply = await server.postForm(TOKEN_URL, fields);
    return reply.status === 200 && reply.body['access_token'] ? grantIn(reply, now) : readPending(reply);
  },

  async renew({ server, clientId, now }, refreshToken) {
    const fields = { grant_type: 'refresh_token', refresh_token: refreshToken.reveal(), client_id: clientId };
    const reply = await server.postForm(TOKEN_URL, fields);
    return reply.status === 200 ? grantIn(reply, now) : refuse(reply);
  },
};

const grantIn = (reply: LoginReply, now: number): TokenGrant => ({
  refreshToken: optionalTokenIn(reply, 'refresh_token'),
  access: {
    token: tokenIn(reply, 'access_token'),
    headers: [],
    baseUrl: addressIn(reply),
    expiresAt: endsIn(numberIn(reply, 'expires_in'), now),
  },
});

/** A host, or an address with or without the version. */
function addressIn({ body }: LoginReply): string | null {
  const told = body['resource_url'];
  if (typeof told !== 'string' || told === '') return null;
  const whole = (/^https?:\/\//.test(told) ? told : `https://${told}`).replace(/\/+$/, '');
  return whole.endsWith('/v1') ? whole : `${whole}/v1`;
}
