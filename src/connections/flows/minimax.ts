import type { LoginReply } from '../authorization-server.js';
import { LoginFailed, LoginRefused } from '../login-errors.js';
import { linkIn, newProof } from './device-code.js';
import type { Flow, TokenGrant } from './flow.js';
import { numberIn, optionalTokenIn, reasonIn, refuse, textIn, tokenIn } from './reply.js';

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:user_code';
const SCOPE = 'group_id profile model.completion';
const CHINA = 'https://api.minimaxi.com';
const ELSEWHERE = 'https://api.minimax.io';
const DEFAULT_INTERVAL_MS = 2_000;
const DEFAULT_LIFE_MS = 300_000;

/** MiniMax: the code a person types is also what is asked for. Times are Unix time in ms; a login is made in the region of the provider. */
export const minimax: Flow = {
  renewAheadMs: 60_000,
  domains: [],

  async start({ server, clientId, baseUrl, now }) {
    const { verifier, challenge } = newProof();
    const state = newProof().verifier;
    const reply = await server.postForm(`${regionOf(baseUrl)}/oauth/code`, {
      response_type: 'code',
      client_id: clientId,
      scope: SCOPE,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state,
    });
    if (reply.status !== 200) throw new LoginFailed(reasonIn(reply) ?? `http_${reply.status}`);
    if (reply.body['state'] !== state) throw new LoginFailed('state_mismatch');
    const userCode = textIn(reply, 'user_code');
    return {
      userCode,
      verificationUri: linkIn(reply, 'verification_uri'),
      expiresAt: new Date(numberIn(reply, 'expired_in') ?? now + DEFAULT_LIFE_MS),
      intervalSeconds: Math.max(1, Math.ceil((numberIn(reply, 'interval') ?? DEFAULT_INTERVAL_MS) / 1000)),
      device: { code: userCode, verifier },
    };
  },

  async poll({ server, clientId, baseUrl }, device) {
    const fields = { grant_type: GRANT_TYPE, client_id: clientId, user_code: device['code']!, code_verifier: device['verifier']! };
    const reply = await server.postForm(`${regionOf(baseUrl)}/oauth/token`, fields);
    if (reply.body['status'] === 'success') return grantIn(reply);
    if (reply.body['status'] === 'pending') return 'pending';
    if (reply.body['status'] === 'error') throw new LoginRefused('access_denied');
    return refuse(reply);
  },

  async renew({ server, clientId, baseUrl }, refreshToken) {
    const fields = { grant_type: 'refresh_token', refresh_token: refreshToken.reveal(), client_id: clientId };
    const reply = await server.postForm(`${regionOf(baseUrl)}/oauth/token`, fields);
    if (reply.body['status'] === 'success') return grantIn(reply);
    if (reply.body['status'] === 'error') throw new LoginRefused('invalid_grant');
    return refuse(reply);
  },
};

const regionOf = (baseUrl: string): string => (/(^|\.)minimaxi\.com$/.test(new URL(baseUrl).hostname) ? CHINA : ELSEWHERE);

const grantIn = (reply: LoginReply): TokenGrant => ({
  refreshToken: optionalTokenIn(reply, 'refresh_token'),
  access: { token: tokenIn(reply, 'access_token'), headers: [], baseUrl: null, expiresAt: numberIn(reply, 'expired_in') },
});
