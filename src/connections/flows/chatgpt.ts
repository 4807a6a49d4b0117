import type { LoginReply } from '../authorization-server.js';
import { LoginFailed } from '../login-errors.js';
import type { Flow, TokenGrant } from './flow.js';
import { endsIn, numberIn, optionalTokenIn, reasonIn, refuse, textIn, tokenIn } from './reply.js';

const USER_CODE_URL = 'https://auth.openai.com/api/accounts/deviceauth/usercode';
const POLL_URL = 'https://auth.openai.com/api/accounts/deviceauth/token';
const TOKEN_URL = 'https://auth.openai.com/oauth/token';
const REDIRECT_URL = 'https://auth.openai.com/deviceauth/callback';
const VERIFICATION_URL = 'https://auth.openai.com/codex/device';
const LIFE_MS = 900_000;
const DEFAULT_INTERVAL_SECONDS = 5;

/** ChatGPT: a device login of its own, not RFC 8628. 403 and 404 say that it waits; what it ends in is a code to be exchanged. */
export const chatgpt: Flow = {
  renewAheadMs: 90_000,
  domains: [],

  async start({ server, clientId, now }) {
    const reply = await server.postJson(USER_CODE_URL, { client_id: clientId });
    if (reply.status !== 200) throw new LoginFailed(reasonIn(reply) ?? `http_${reply.status}`);
    const userCode = textIn(reply, 'user_code');
    return {
      userCode,
      verificationUri: VERIFICATION_URL,
      expiresAt: new Date(now + LIFE_MS),
      intervalSeconds: Math.max(1, Math.ceil(numberIn(reply, 'interval') ?? DEFAULT_INTERVAL_SECONDS)),
      device: { id: textIn(reply, 'device_auth_id'), code: userCode },
    };
  },

  async poll({ server, clientId, now }, device) {
    const reply = await server.postJson(POLL_URL, { device_auth_id: device['id']!, user_code: device['code']! });
    if (reply.status === 403 || reply.status === 404) return 'pending';
    if (reply.status === 429) return 'slow_down';
    if (reply.status !== 200) return refuse(reply);
    const token = await server.postForm(TOKEN_URL, {
      grant_type: 'authorization_code',
      code: textIn(reply, 'authorization_code'),
      redirect_uri: REDIRECT_URL,
      client_id: clientId,
      code_verifier: textIn(reply, 'code_verifier'),
    });
    return token.status === 200 ? grantIn(token, now) : refuse(token);
  },

  async renew({ server, clientId, now }, refreshToken) {
    const fields = { grant_type: 'refresh_token', refresh_token: refreshToken.reveal(), client_id: clientId };
    const reply = await server.postForm(TOKEN_URL, fields);
    return reply.status === 200 ? grantIn(reply, now) : refuse(reply);
  },
};

function grantIn(reply: LoginReply, now: number): TokenGrant {
  const token = tokenIn(reply, 'access_token');
  const claims = claimsOf(token);
  const account = (claims['https://api.openai.com/auth'] as { chatgpt_account_id?: unknown } | undefined)?.chatgpt_account_id;
  if (typeof account !== 'string' || !/^[\w-]{1,128}$/.test(account)) throw new LoginFailed('no_account_id');
  const ends = typeof claims['exp'] === 'number' ? claims['exp'] * 1000 : null;
  return {
    refreshToken: optionalTokenIn(reply, 'refresh_token'),
    access: {
      token,
      headers: ['chatgpt-account-id', account],
      baseUrl: null,
      expiresAt: endsIn(numberIn(reply, 'expires_in'), now) ?? ends,
    },
  };
}

/** What a token says of itself. It came from its issuer over TLS, and only the issuer relies on it: its signature is not checked. */
function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
  } catch {
    throw new LoginFailed('unusable_access_token');
  }
}
