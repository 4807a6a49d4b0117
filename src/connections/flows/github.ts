import type { LoginReply } from '../authorization-server.js';
import { LoginFailed } from '../login-errors.js';
import { readDeviceCode, readPending, tokenRequest } from './device-code.js';
import type { Access, Flow, LoginContext } from './flow.js';
import { numberIn, refuse, tokenIn } from './reply.js';

const DEVICE_URL = 'https://github.com/login/device/code';
const TOKEN_URL = 'https://github.com/login/oauth/access_token';
const EXCHANGE_URL = 'https://api.github.com/copilot_internal/v2/token';

/** GitHub Copilot: GitHub's own token lasts, and is exchanged for one of half an hour that calls are made with. */
export const github: Flow = {
  renewAheadMs: 120_000,
  domains: ['githubcopilot.com'],

  async start({ server, clientId, now }) {
    return readDeviceCode(await server.postForm(DEVICE_URL, { client_id: clientId, scope: 'read:user' }), now);
  },

  async poll(login, device) {
    const reply = await login.server.postForm(TOKEN_URL, tokenRequest(login.clientId, device['code']!));
    // Errors come with status 200.
    if (!reply.body['access_token']) return readPending(reply);
    const refreshToken = tokenIn(reply, 'access_token');
    const access = await exchange(login, refreshToken).catch((error: unknown) => {
      if (error instanceof LoginFailed) return null;
      throw error;
    });
    return { refreshToken, access };
  },

  async renew(login, refreshToken) {
    return { refreshToken: null, access: await exchange(login, refreshToken.reveal()) };
  },
};

async function exchange({ server }: LoginContext, token: string): Promise<Access> {
  const reply = await server.get(EXCHANGE_URL, ['authorization', `token ${token}`]);
  if (reply.status !== 200) refuse(reply);
  const expiresAt = numberIn(reply, 'expires_at');
  return { token: tokenIn(reply, 'token'), headers: [], baseUrl: addressIn(reply), expiresAt: expiresAt && expiresAt * 1000 };
}

function addressIn({ body }: LoginReply): string | null {
  const address = (body['endpoints'] as { api?: unknown } | null | undefined)?.api;
  return typeof address === 'string' ? address : null;
}
