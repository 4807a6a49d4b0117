import type { LoginServer } from '../../support/login-server.js';
import { answer, type Script } from '../../support/upstream.js';

/** One vendor's login as these tests script it, and what its calls carry. */
export interface SeatVendor {
  type: string;
  /** What asks for a code, for the outcome and for the next access token. */
  start: string;
  poll: string;
  renew: string;
  /** Its person has come: what is answered from then on. `n` counts access tokens from 1. */
  admit(login: LoginServer, options?: { lifeSeconds?: number }): void;
  /** It waits for its person. */
  wait(login: LoginServer): void;
  /** The access token number `n` as calls show it. */
  token(n: number): string;
  headers: Record<string, string>;
  reply: Script;
}

const jwt = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;

const COPILOT: SeatVendor = {
  type: 'copilot',
  start: 'POST /login/device/code',
  poll: 'POST /login/oauth/access_token',
  renew: 'GET /copilot_internal/v2/token',
  wait(login) {
    login.script[this.start] = () => [
      200,
      {
        device_code: 'device-secret',
        user_code: 'WDJB-MJHT',
        verification_uri: 'https://github.com/login/device',
        expires_in: 900,
        interval: 5,
      },
    ];
    login.script[this.poll] = () => [200, { error: 'authorization_pending' }];
  },
  admit(login, { lifeSeconds = 1_500 } = {}) {
    login.script[this.poll] = () => [200, { access_token: 'refresh-secret-0', token_type: 'bearer', scope: 'read:user' }];
    let n = 0;
    login.script[this.renew] = ({ headers }) =>
      headers.authorization === 'token refresh-secret-0'
        ? [200, { token: this.token(++n), expires_at: Math.floor(Date.now() / 1000) + (n === 1 ? lifeSeconds : 1_500), refresh_in: 1_000 }]
        : [401, { message: 'Bad credentials' }];
  },
  token: (n) => `tid=access-secret-${n};exp=1`,
  headers: { 'editor-version': 'weir/0.1', 'copilot-integration-id': 'vscode-chat' },
  reply: answer(),
};

/** Refresh tokens that are good once, as OAuth servers rotate them. */
function rotating(prefix: string, tokens: (n: number) => object) {
  let good = `${prefix}-0`;
  let n = 1;
  return {
    first: () => ({ ...tokens(n), refresh_token: good }),
    next(refreshToken: string | undefined): [number, object] {
      if (refreshToken !== good) return [400, { error: 'invalid_grant' }];
      good = `${prefix}-${n}`;
      return [200, { ...tokens(++n), refresh_token: good }];
    },
  };
}

const QWEN: SeatVendor = {
  type: 'qwen-code',
  start: 'POST /api/v1/oauth2/device/code',
  poll: 'POST /api/v1/oauth2/token',
  renew: 'POST /api/v1/oauth2/token',
  wait(login) {
    login.script[this.start] = ({ fields }) =>
      fields['code_challenge_method'] === 'S256'
        ? [
            200,
            { device_code: 'device-secret', user_code: 'ABCD-EFGH', verification_uri: 'https://chat.qwen.ai/authorize', expires_in: 900 },
          ]
        : [400, { error: 'invalid_request' }];
    login.script[this.poll] = () => [400, { error: 'authorization_pending' }];
  },
  admit(login, { lifeSeconds = 3_600 } = {}) {
    const tokens = rotating('refresh-secret', (n) => ({
      access_token: this.token(n),
      token_type: 'Bearer',
      expires_in: n === 1 ? lifeSeconds : 3_600,
      resource_url: 'portal.qwen.ai',
    }));
    login.script[this.poll] = ({ fields }) =>
      fields['grant_type'] === 'refresh_token'
        ? tokens.next(fields['refresh_token'])
        : fields['code_verifier'] && fields['device_code'] === 'device-secret'
          ? [200, tokens.first()]
          : [400, { error: 'invalid_request' }];
  },
  token: (n) => `qwen-access-secret-${n}`,
  headers: {},
  reply: answer(),
};

const MINIMAX: SeatVendor = {
  type: 'minimax-oauth',
  start: 'POST /oauth/code',
  poll: 'POST /oauth/token',
  renew: 'POST /oauth/token',
  wait(login) {
    login.script[this.start] = ({ fields }) => [
      200,
      {
        user_code: 'MM-CODE',
        verification_uri: 'https://www.minimax.io/verify',
        expired_in: Date.now() + 300_000,
        interval: 2_000,
        state: fields['state'],
      },
    ];
    login.script[this.poll] = () => [200, { status: 'pending' }];
  },
  admit(login, { lifeSeconds = 3_600 } = {}) {
    const tokens = rotating('refresh-secret', (n) => ({
      status: 'success',
      access_token: this.token(n),
      expired_in: Date.now() + (n === 1 ? lifeSeconds : 3_600) * 1000,
    }));
    login.script[this.poll] = ({ fields }) =>
      fields['grant_type'] === 'refresh_token' ? tokens.next(fields['refresh_token']) : [200, tokens.first()];
  },
  token: (n) => `minimax-access-secret-${n}`,
  headers: {},
  reply: answer(),
};

const item = { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Hello' }] };
const event = (data: { type: string; [field: string]: unknown }): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const position = { item_id: 'msg_1', output_index: 0, content_index: 0 };

const CHATGPT: SeatVendor = {
  type: 'openai-codex',
  start: 'POST /api/accounts/deviceauth/usercode',
  poll: 'POST /api/accounts/deviceauth/token',
  renew: 'POST /oauth/token',
  wait(login) {
    login.script[this.start] = () => [200, { device_auth_id: 'device-secret', user_code: 'CODE-12345', interval: '5' }];
    login.script[this.poll] = () => [403, { error: { code: 'deviceauth_authorization_unknown' } }];
  },
  admit(login, { lifeSeconds = 3_600 } = {}) {
    login.script[this.poll] = () => [200, { authorization_code: 'code-secret', code_challenge: 'c', code_verifier: 'verifier-secret' }];
    const tokens = rotating('refresh-secret', (n) => ({ access_token: this.token(n), expires_in: n === 1 ? lifeSeconds : 3_600 }));
    login.script[this.renew] = ({ fields }) =>
      fields['grant_type'] === 'refresh_token'
        ? tokens.next(fields['refresh_token'])
        : fields['code'] === 'code-secret' && fields['redirect_uri'] === 'https://auth.openai.com/deviceauth/callback'
          ? [200, tokens.first()]
          : [400, { error: 'invalid_grant' }];
  },
  token: (n) => jwt({ jti: `chatgpt-access-secret-${n}`, 'https://api.openai.com/auth': { chatgpt_account_id: 'acc-1' } }),
  headers: { 'chatgpt-account-id': 'acc-1', 'openai-beta': 'responses=experimental', originator: 'weir' },
  reply(call, response) {
    const { stream, store } = call.body;
    if (stream !== true || store !== false || 'max_output_tokens' in call.body) {
      response.writeHead(400, { 'content-type': 'application/json' });
      return void response.end(JSON.stringify({ error: { message: 'Stream must be set to true', code: 'invalid_request' } }));
    }
    const usage = { input_tokens: 9, output_tokens: 12, total_tokens: 21 };
    const ended = { id: 'resp_1', object: 'response', status: 'completed', model: 'gpt-5-codex', output: [item], usage };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(event({ type: 'response.created', response: { ...ended, status: 'in_progress', output: [], usage: null } }));
    response.write(event({ type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } }));
    response.write(event({ type: 'response.output_text.delta', ...position, delta: 'Hello' }));
    response.write(event({ type: 'response.output_item.done', output_index: 0, item }));
    response.end(event({ type: 'response.completed', response: ended }));
  },
};

export const SEAT_VENDORS = [COPILOT, CHATGPT, MINIMAX, QWEN] as const;
export { CHATGPT, COPILOT, QWEN };
