/** One row per refusal or failure a client can see. Entry points render it in their own shape; nothing else decides a status. */
interface ErrorRow {
  status: number;
  type: 'invalid_request_error' | 'insufficient_quota' | 'rate_limit_exceeded' | 'requests' | 'tokens' | 'api_error';
  /** What the caller reads unless a more exact sentence is given. Says what to do. */
  text: string;
  /** `x-should-retry`, where an SDK would otherwise guess wrong. */
  retry?: boolean;
  /** `retry-after` in seconds. */
  retryAfterSeconds?: number;
}

const row = (status: number, type: ErrorRow['type'], text: string, retry?: boolean, retryAfterSeconds?: number): ErrorRow => ({
  status,
  type,
  text,
  retry,
  retryAfterSeconds,
});

export const ERRORS = {
  invalid_api_key: row(
    401,
    'invalid_request_error',
    'The API key is missing or not valid. Send it as "Authorization: Bearer <key>".',
    false,
  ),
  unknown_network_identity: row(
    401,
    'invalid_request_error',
    'No API key was sent, and the network identity of the connection is bound to no tenant. Send a key, or ask the operator to bind it.',
    false,
  ),
  too_many_bad_keys: row(
    429,
    'rate_limit_exceeded',
    'Too many keys that are not valid came from this address. Check the key, then try again. Valid keys are not slowed down.',
    false,
    1,
  ),
  key_conflict: row(400, 'invalid_request_error', 'The request carries two different API keys. Send one.', false),
  invalid_admin_key: row(
    401,
    'invalid_request_error',
    'An admin key is needed here. Send it as "Authorization: Bearer <admin key>", or sign in.',
    false,
  ),
  session_over: row(401, 'invalid_request_error', 'The session is over. Sign in again.', false),
  invalid_sign_in: row(
    401,
    'invalid_request_error',
    'The email address, the password or the code is wrong. If you belong to several organizations, send "organization" as well.',
    false,
  ),
  second_factor_required: row(
    401,
    'invalid_request_error',
    'A second factor is set up. Send "code" as well: a code of your authenticator app, or a recovery code.',
    false,
  ),
  too_many_sign_ins: row(
    429,
    'rate_limit_exceeded',
    'Too many failed sign-ins. Wait before the next try, sign in on a device that you used before, or ask an operator for a sign-in link.',
    false,
    1,
  ),
  invalid_password: row(403, 'invalid_request_error', 'The current password is wrong.', false),
  invalid_code: row(403, 'invalid_request_error', 'The code is wrong, or was used already. Wait for the next one.', false),
  invalid_sign_in_link: row(
    401,
    'invalid_request_error',
    'The sign-in link is not valid, was used, or is older than 10 minutes. One for the first operator is also over once anybody can sign in. An operator makes a new link with POST /v1/platform/sign_in_links.',
    false,
  ),
  invalid_invite: row(404, 'invalid_request_error', 'The invite is not valid, was accepted or revoked, or is older than 7 days.', false),
  sso_required: row(
    403,
    'invalid_request_error',
    'Your organization requires single sign-on. Sign in through its identity provider.',
    false,
  ),
  sso_failed: row(
    401,
    'invalid_request_error',
    'The identity provider did not confirm the sign-in. Begin again, or ask your admin.',
    false,
  ),
  sso_not_a_member: row(403, 'invalid_request_error', 'You are not a member of this organization. Ask its admin to invite you.', false),
  cross_site_request: row(
    403,
    'invalid_request_error',
    'The request comes from another site. A session is used from pages of this installation only: see WEIR_ADMIN_URL.',
    false,
  ),
  https_required: row(
    403,
    'invalid_request_error',
    'Signing in needs HTTPS, or a browser on the same machine. The operator sets WEIR_ADMIN_URL to the https:// address of the admin API.',
    false,
  ),
  last_owner: row(409, 'invalid_request_error', 'This is the last owner of the tenant. Make somebody else an owner first.', false),
  forbidden: row(403, 'invalid_request_error', 'This key may not do that.', false),
  address_not_allowed: row(403, 'invalid_request_error', 'The key may not be used from this address. Its "cidrs" say from where.', false),
  insufficient_role: row(403, 'invalid_request_error', 'Your role may not do that. Ask an owner or admin of the tenant.', false),
  platform_rule: row(
    403,
    'invalid_request_error',
    'An operator set this. Only an operator can change or remove it: ask the operator of this installation.',
    false,
  ),
  last_operator_key: row(409, 'invalid_request_error', 'This is the last operator key. Create another one before you revoke it.', false),
  not_suspended: row(409, 'invalid_request_error', 'Only a suspended tenant can be deleted. Suspend it first.', false),
  calls_in_flight: row(409, 'invalid_request_error', 'Calls of the tenant are in flight. Try again when they have ended.', true, 5),
  tenant_suspended: row(
    403,
    'invalid_request_error',
    'The tenant is suspended: it can neither make calls nor change anything. Ask the operator of this installation to resume it.',
    false,
  ),
  tenant_deleted: row(410, 'invalid_request_error', 'The tenant was deleted. Its ledger is kept.', false),
  inference_not_configured: row(
    503,
    'api_error',
    'No model is set for inference.local. An admin of the tenant sets one with PUT /v1/organization/inference.',
    false,
  ),
  endpoint_not_allowed: row(403, 'invalid_request_error', 'This API key may not call that endpoint.', false),
  model_not_allowed: row(403, 'invalid_request_error', 'This API key may not use that model.', false),
  model_required: row(
    400,
    'invalid_request_error',
    'The request names no model, and no default is set. Send "model", a reference such as "mock/echo", or set a default: of the session (POST /v1/sessions), the API key, its project or its tenant ("default_model"), or of the installation (WEIR_MODEL).',
    false,
  ),
  model_not_found: row(404, 'invalid_request_error', 'The model does not exist.', false),
  no_target: row(
    503,
    'api_error',
    'No target of the route can serve this call. An admin has to change the route, or what its targets need.',
    false,
  ),
  not_found: row(404, 'invalid_request_error', 'No resource exists at this path.', false),
  conflict: row(409, 'invalid_request_error', 'The resource already exists or was modified by another request.', false),
  precondition_failed: row(
    412,
    'invalid_request_error',
    'The resource was changed since it was read. Read it again and repeat the change.',
    false,
  ),
  too_many: row(409, 'invalid_request_error', 'The tenant has reached its maximum number of these. Delete one first.', false),
  idempotency_in_progress: row(409, 'invalid_request_error', 'A request with this Idempotency-Key is still running.', true, 1),
  idempotency_mismatch: row(422, 'invalid_request_error', 'This Idempotency-Key was used with another request.', false),
  idempotency_spent: row(
    409,
    'invalid_request_error',
    'The call with this Idempotency-Key was made and may have been charged, but its answer is not kept. Use a new key to make the call again.',
    false,
  ),
  budget_exceeded: row(402, 'insufficient_quota', 'The budget is spent.', false),
  request_exceeds_budget: row(402, 'insufficient_quota', 'This request alone could cost more than the budget has left.', false),
  cost_limit_exceeded: row(402, 'insufficient_quota', 'This request could cost more than its cost limit allows.', false),
  rate_limit_exceeded: row(429, 'requests', 'Too many requests. Try again shortly.', true, 1),
  approval_required: row(402, 'insufficient_quota', 'The request is beyond a budget and needs an approval.', false),
  approval_decided: row(409, 'invalid_request_error', 'This request was decided otherwise, or is over.', false),
  budget_held: row(429, 'rate_limit_exceeded', 'Calls in flight hold what is left of the budget. Try again shortly.', true, 1),
  model_not_priced: row(
    422,
    'invalid_request_error',
    'The model has no price, so its cost cannot be bounded before the call. Add a price.',
    false,
  ),
  feature_not_priced: row(
    422,
    'invalid_request_error',
    'The request uses a feature whose cost has no bound, and a hard budget applies. Remove the feature.',
    false,
  ),
  context_length_exceeded: row(400, 'invalid_request_error', 'The prompt is longer than the model accepts.'),
  database_unavailable: row(503, 'api_error', 'The database cannot be reached. Try again shortly.', true, 1),
  keys_unconfirmed: row(
    503,
    'api_error',
    'The gateway has not been able to check API keys against the database for a minute, so no key is accepted. Try again shortly.',
    true,
    1,
  ),
  query_timeout: row(
    503,
    'api_error',
    'The database took too long for this. Ask for less: a smaller page, a shorter time or fewer groups.',
    false,
  ),
  ledger_unavailable: row(503, 'api_error', 'The ledger cannot be reached, so no call is sent. Try again shortly.', true, 1),
  hold_expired: row(
    503,
    'api_error',
    'The gateway was stopped for so long that the money held for this call may be spent by another one, so nothing was sent. Try again.',
    true,
    1,
  ),
  booking_delayed: row(
    503,
    'api_error',
    'The call was made and will be charged, but its booking cannot be stored now, so its answer is withheld.',
    false,
  ),
  overloaded: row(503, 'api_error', 'The gateway is overloaded. Try again shortly.', true, 1),
  draining: row(503, 'api_error', 'The gateway is shutting down. Try again shortly.', true, 1),
  provider_auth_failed: row(502, 'api_error', 'The provider refused the credential configured for it.', false),
  provider_token_unavailable: row(
    502,
    'api_error',
    'The token that the provider is called with could not be fetched, so nothing was sent. Try again shortly.',
    true,
    1,
  ),
  credential_unavailable: row(
    503,
    'api_error',
    "The provider's credential cannot be opened with this installation's master key, so nothing is sent. Check WEIR_MASTER_KEY, or enter it again.",
    false,
  ),
  credential_missing: row(
    409,
    'invalid_request_error',
    "The provider's address was changed, which removed its key, so nothing was sent. Enter the key again, or set it to null if the provider needs none.",
    false,
  ),
  connection_not_enabled: row(
    403,
    'invalid_request_error',
    'Connections to this provider are disabled. An operator can enable them with WEIR_CONNECTIONS.',
    false,
  ),
  connection_required: row(503, 'api_error', 'The provider is not connected, so nothing is sent. An admin has to connect it.', false),
  provider_unavailable: row(503, 'api_error', "The provider's account is out of money or quota.", false),
  upstream_rate_limited: row(429, 'rate_limit_exceeded', 'The provider is rate limiting. Try again later.', true, 1),
  upstream_unreachable: row(502, 'api_error', 'The provider could not be reached.', true),
  upstream_error: row(502, 'api_error', 'The provider failed.', true),
  upstream_overloaded: row(503, 'api_error', 'The provider is overloaded. Try again shortly.', true, 1),
  upstream_failed_answer: row(502, 'api_error', 'The model ended its answer with a failure. Change the request.', false),
  unprocessable_request: row(422, 'invalid_request_error', 'The provider cannot process the request.', false),
  upstream_invalid_response: row(502, 'api_error', 'The provider sent a reply that cannot be read.', true),
  upstream_interrupted: row(502, 'api_error', 'The provider broke off its reply.', true),
  upstream_timeout: row(504, 'api_error', 'The provider did not answer in time.', true),
  passthrough_not_allowed: row(
    403,
    'invalid_request_error',
    'No egress rule allows this request. An admin of the tenant can add one: POST /v1/organization/egress_rules.',
    false,
  ),
  destination_refused: row(502, 'api_error', 'The provider address is not allowed by the egress policy.', false),
  probe_failed: row(422, 'invalid_request_error', 'The provider check failed. Fix the provider, or save it with "no_verify": true.', false),
  loop_detected: row(
    508,
    'api_error',
    "The call came back to the gateway it started from: a provider's address is that of this gateway. Set its base_url to the provider itself.",
    false,
  ),
  invalid_json: row(400, 'invalid_request_error', 'The request body is not valid JSON.'),
  invalid_request: row(400, 'invalid_request_error', 'The request is not valid.'),
  request_too_large: row(413, 'invalid_request_error', 'The request body is too large.'),
  unsupported_media_type: row(415, 'invalid_request_error', 'Send the body as "Content-Type: application/json", without Content-Encoding.'),
  request_timeout: row(408, 'invalid_request_error', 'The request was not received in time.'),
  header_too_large: row(431, 'invalid_request_error', 'The request headers are too large.'),
  internal_error: row(500, 'api_error', 'Internal error. Search the log for the request id.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorDetails {
  /** Replaces the row's text. Must not carry a secret. */
  message?: string;
  param?: string;
  /** Machine-readable facts beside the error, e.g. the budget that denied. */
  fields?: Record<string, unknown>;
  retryAfterSeconds?: number;
  /** Replaces the row's type, where a code has several. */
  type?: ErrorRow['type'];
  /** Further headers, e.g. the state of a limit. */
  headers?: Record<string, string>;
  /** Replaces the row's advice. */
  retry?: boolean;
  /** For the log only. */
  cause?: unknown;
}

/** A refusal or failure with a row in the table. `message` is what the caller may read; `cause` is for the log. */
export class WeirError extends Error {
  readonly status: number;
  readonly type: ErrorRow['type'];
  readonly retry: boolean | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly param: string | null;
  readonly fields: Record<string, unknown> | undefined;
  private readonly extraHeaders: Record<string, string> | undefined;

  constructor(
    readonly code: ErrorCode,
    details: ErrorDetails = {},
  ) {
    const facts: ErrorRow = ERRORS[code];
    const { stackTraceLimit } = Error;
    // A refusal says what its reader has to know. Walking the stack would be a third of what it costs, and strangers choose how many there are.
    if (facts.status < 500) Error.stackTraceLimit = 0;
    super(details.message ?? facts.text, { cause: details.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.status = facts.status;
    this.type = details.type ?? facts.type;
    this.retry = details.retry ?? facts.retry;
    this.retryAfterSeconds = details.retryAfterSeconds ?? facts.retryAfterSeconds;
    this.param = details.param ?? null;
    this.fields = details.fields;
    this.extraHeaders = details.headers;
  }

  /** The same but for these. */
  with(changes: ErrorDetails): WeirError {
    const { type, retry, retryAfterSeconds, param, fields, extraHeaders: headers, message, cause } = this;
    const same = { type, message, cause, ...(param !== null && { param }) };
    const optional = { ...(retry !== undefined && { retry }), ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) };
    return new WeirError(this.code, { ...same, ...optional, ...(fields && { fields }), ...(headers && { headers }), ...changes });
  }

  /** The headers that go with it. */
  headers(): Record<string, string> {
    const headers: Record<string, string> = { ...this.extraHeaders };
    if (this.retry !== undefined) headers['x-should-retry'] = String(this.retry);
    if (this.retryAfterSeconds !== undefined) headers['retry-after'] = String(this.retryAfterSeconds);
    return headers;
  }
}
