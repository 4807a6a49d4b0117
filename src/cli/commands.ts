/** A command that is one request of the admin REST. */
export interface Row {
  /** Noun and verb. */
  readonly command: string;
  readonly does: string;
  /** Method and path. What stands in braces is an argument, but for `{project_id}` before another: that is the flag `--project`. */
  readonly call: string;
  /** Flags that may be given as arguments instead, in this order, after those of the path. */
  readonly args?: string;
  /** By their names in `flags.ts`; `!` marks one that must be given. */
  readonly flags?: string;
  /** Fields in a table, with dots between the levels. A row that has them is a list. */
  readonly columns?: string;
  /** A list that comes whole, without pages. */
  readonly whole?: true;
  /** It cannot be taken back, so it asks first. */
  readonly destroys?: true;
}

const ORGANIZATION = '/v1/organization';

/** What the nouns are, for `weir --help`. */
export const NOUNS: Readonly<Record<string, string>> = {
  tenant: 'tenants of this Weir (operators)',
  project: 'projects of a tenant',
  key: 'API keys, which call models',
  'admin-key': 'admin keys, which administer a tenant',
  'operator-key': 'operator keys, which administer the platform',
  provider: 'where calls are sent, and with which credential',
  grant: 'tenants that may use a provider of the platform (operators)',
  model: 'what models can do, where the catalog does not know it',
  inference: 'the model of inference.local',
  route: 'names of your own for models, with fallbacks',
  price: 'what models cost',
  budget: 'how much may be spent',
  limit: 'rate limits: how much may be asked for',
  approval: 'calls beyond a budget that wait for a decision',
  call: 'calls that have ended',
  egress: 'paths of the APIs of providers that may be called as they are',
  member: 'people of a tenant',
  invite: 'people who are invited to a tenant',
  webhook: 'where events are sent',
  audit: 'who changed what',
  settings: 'settings of a tenant',
};

/** Where `--platform` leads, which acts on what belongs to the platform instead of a tenant. */
export const PLATFORM: Readonly<Record<string, string>> = {
  [`${ORGANIZATION}/providers`]: '/v1/platform/credentials',
  [`${ORGANIZATION}/routes`]: '/v1/platform/routes',
  [`${ORGANIZATION}/prices`]: '/v1/platform/prices',
  [`${ORGANIZATION}/inference`]: '/v1/platform/inference',
  [`${ORGANIZATION}/webhooks`]: '/v1/platform/webhooks',
  [`${ORGANIZATION}/users`]: '/v1/platform/users',
  [`${ORGANIZATION}/invites`]: '/v1/platform/invites',
  [`${ORGANIZATION}/audit_logs`]: '/v1/platform/audit_logs',
};

const KEYS = `${ORGANIZATION}/projects/{project_id}/api_keys`;
const KEY_FLAGS =
  'models endpoints cidrs max-output-tokens max-cost-per-call fit thinking-level unsupported default-model disabled expires-at metadata';
const ADMIN_KEY_COLUMNS = 'id name redacted_value role project_id expires_at revoked_at';
const PROVIDER_FLAGS = 'base-url dialect key keys credential auth headers default-model models quirks on-client-gone skip-check';
const PRICE_FLAGS = 'cache-read cache-write cache-write-1h web-search tiers effective-at notes';
const ROUTE_FLAGS = 'strategy retries attempts deadline-ms fallback-on when metadata';
const LIMIT_FLAGS = 'requests-per-minute tokens-per-minute concurrent metadata';
const WEBHOOK_FLAGS = 'url emails types metadata';

export const ROWS: readonly Row[] = [
  // --- tenants and projects
  {
    command: 'tenant list',
    does: 'List tenants.',
    call: 'GET /v1/platform/tenants',
    columns: 'id name external_id suspended_at created_at',
  },
  {
    command: 'tenant create',
    does: 'Create a tenant with a default project and an admin key, which is shown once.',
    call: 'POST /v1/platform/tenants',
    args: 'name!',
    flags: 'external-id metadata',
  },
  { command: 'tenant get', does: 'Show a tenant.', call: 'GET /v1/platform/tenants/{tenant_id}' },
  {
    command: 'tenant update',
    does: 'Change a tenant.',
    call: 'POST /v1/platform/tenants/{tenant_id}',
    flags: 'name external-id default-model unpriced-call-cost metadata',
  },
  {
    command: 'tenant suspend',
    does: 'Refuse new calls of a tenant.',
    call: 'POST /v1/platform/tenants/{tenant_id}/suspend',
    destroys: true,
  },
  { command: 'tenant resume', does: 'Let a suspended tenant call again.', call: 'POST /v1/platform/tenants/{tenant_id}/resume' },
  {
    command: 'tenant delete',
    does: 'Delete a suspended tenant, with its keys and credentials.',
    call: 'DELETE /v1/platform/tenants/{tenant_id}',
    destroys: true,
  },
  {
    command: 'project list',
    does: 'List projects, including archived ones.',
    call: `GET ${ORGANIZATION}/projects`,
    columns: 'id name status external_id created_at',
  },
  {
    command: 'project create',
    does: 'Create a project.',
    call: `POST ${ORGANIZATION}/projects`,
    args: 'name!',
    flags: 'external-id default-model metadata',
  },
  { command: 'project get', does: 'Show a project.', call: `GET ${ORGANIZATION}/projects/{project_id}` },
  {
    command: 'project update',
    does: 'Change a project.',
    call: `POST ${ORGANIZATION}/projects/{project_id}`,
    flags: 'name external-id default-model metadata',
  },
  {
    command: 'project archive',
    does: 'Archive a project. Its API keys stop working.',
    call: `POST ${ORGANIZATION}/projects/{project_id}/archive`,
    destroys: true,
  },

  // --- keys
  {
    command: 'key list',
    does: 'List the API keys of a project, including revoked ones.',
    call: `GET ${KEYS}`,
    columns: 'id name redacted_value models expires_at last_used_at revoked_at',
  },
  {
    command: 'key create',
    does: 'Create an API key. Its value is shown once.',
    call: `POST ${KEYS}`,
    args: 'name!',
    flags: KEY_FLAGS,
  },
  { command: 'key get', does: 'Show an API key.', call: `GET ${KEYS}/{key_id}` },
  { command: 'key update', does: 'Change an API key.', call: `POST ${KEYS}/{key_id}`, flags: `name ${KEY_FLAGS}` },
  {
    command: 'key rotate',
    does: 'Give an API key a new value, which is shown once. The old one works for another day, or as long as you say.',
    call: `POST ${KEYS}/{key_id}/rotate`,
    flags: 'overlap-seconds',
  },
  { command: 'key revoke', does: 'Revoke an API key for good.', call: `POST ${KEYS}/{key_id}/revoke`, destroys: true },
  {
    command: 'admin-key list',
    does: 'List the admin keys of the tenant, including revoked ones.',
    call: `GET ${ORGANIZATION}/admin_api_keys`,
    columns: ADMIN_KEY_COLUMNS,
  },
  {
    command: 'admin-key create',
    does: 'Create an admin key of the tenant. Its value is shown once.',
    call: `POST ${ORGANIZATION}/admin_api_keys`,
    args: 'name!',
    flags: 'role project-id cidrs expires-at',
  },
  { command: 'admin-key get', does: 'Show an admin key.', call: `GET ${ORGANIZATION}/admin_api_keys/{admin_key_id}` },
  {
    command: 'admin-key update',
    does: 'Change an admin key.',
    call: `POST ${ORGANIZATION}/admin_api_keys/{admin_key_id}`,
    flags: 'name role project-id cidrs expires-at',
  },
  {
    command: 'admin-key rotate',
    does: 'Give an admin key a new value, which is shown once.',
    call: `POST ${ORGANIZATION}/admin_api_keys/{admin_key_id}/rotate`,
    flags: 'overlap-seconds',
  },
  {
    command: 'admin-key revoke',
    does: 'Revoke an admin key for good.',
    call: `POST ${ORGANIZATION}/admin_api_keys/{admin_key_id}/revoke`,
    destroys: true,
  },
  {
    command: 'operator-key list',
    does: 'List the operator keys, including revoked ones.',
    call: 'GET /v1/platform/operator_keys',
    columns: 'id name redacted_value expires_at revoked_at',
  },
  {
    command: 'operator-key create',
    does: 'Create an operator key. Its value is shown once.',
    call: 'POST /v1/platform/operator_keys',
    args: 'name!',
    flags: 'cidrs expires-at',
  },
  {
    command: 'operator-key rotate',
    does: 'Give an operator key a new value, which is shown once.',
    call: 'POST /v1/platform/operator_keys/{operator_key_id}/rotate',
    flags: 'overlap-seconds',
  },
  {
    command: 'operator-key revoke',
    does: 'Revoke an operator key for good.',
    call: 'POST /v1/platform/operator_keys/{operator_key_id}/revoke',
    destroys: true,
  },

  // --- providers and models
  {
    command: 'provider types',
    does: 'List the types of providers that Weir knows.',
    call: `GET ${ORGANIZATION}/provider_types`,
    columns: 'type title base_url environment',
    whole: true,
  },
  {
    command: 'provider list',
    does: 'List providers.',
    call: `GET ${ORGANIZATION}/providers`,
    columns: 'id name type base_url models has_key created_at',
  },
  {
    command: 'provider create',
    does: 'Create a provider. Weir checks it with a few small calls before it is saved.',
    call: `POST ${ORGANIZATION}/providers`,
    args: 'type!',
    flags: `name ${PROVIDER_FLAGS} from-existing`,
  },
  { command: 'provider get', does: 'Show a provider.', call: `GET ${ORGANIZATION}/providers/{provider_id}` },
  {
    command: 'provider update',
    does: 'Change a provider.',
    call: `POST ${ORGANIZATION}/providers/{provider_id}`,
    flags: PROVIDER_FLAGS,
  },
  {
    command: 'provider test',
    does: 'Check a provider with a few small calls.',
    call: `POST ${ORGANIZATION}/providers/{provider_id}/probe`,
  },
  {
    command: 'provider delete',
    does: 'Delete a provider, with its credential.',
    call: `DELETE ${ORGANIZATION}/providers/{provider_id}`,
    destroys: true,
  },
  {
    command: 'provider connect',
    does: 'Start a login for a provider. The answer says where to enter which code.',
    call: `POST ${ORGANIZATION}/providers/{provider_id}/connection`,
  },
  {
    command: 'grant list',
    does: 'List the tenants that may use a provider of the platform.',
    call: 'GET /v1/platform/credentials/{credential_id}/grants',
    columns: 'id tenant platform_credential',
  },
  {
    command: 'grant create',
    does: 'Let a tenant use a provider of the platform.',
    call: 'POST /v1/platform/credentials/{credential_id}/grants',
    args: 'to!',
  },
  {
    command: 'grant delete',
    does: 'No longer let a tenant use a provider of the platform.',
    call: 'DELETE /v1/platform/credentials/{credential_id}/grants/{tenant_id}',
    destroys: true,
  },
  {
    command: 'model list',
    does: 'List the entries of the tenant. All models that a key can call are at GET /v1/models of the public address.',
    call: `GET ${ORGANIZATION}/models`,
    flags: 'provider model',
    columns: 'id provider model context_window max_output_tokens tools vision reasoning',
  },
  {
    command: 'model set',
    does: 'Say what a model can do.',
    call: `POST ${ORGANIZATION}/models`,
    args: 'provider! model!',
    flags: 'context-window max-output-tokens tools vision reasoning',
  },
  { command: 'model delete', does: 'Delete an entry.', call: `DELETE ${ORGANIZATION}/models/{model_id}`, destroys: true },
  { command: 'inference get', does: 'Show the model of inference.local.', call: `GET ${ORGANIZATION}/inference` },
  {
    command: 'inference set',
    does: 'Set the model of inference.local.',
    call: `PUT ${ORGANIZATION}/inference`,
    args: 'provider! model!',
    flags: 'timeout-ms',
  },
  { command: 'inference delete', does: 'Remove the model of inference.local.', call: `DELETE ${ORGANIZATION}/inference`, destroys: true },
  {
    command: 'route list',
    does: 'List routes.',
    call: `GET ${ORGANIZATION}/routes`,
    columns: 'id name match.kind match.value targets strategy',
  },
  {
    command: 'route create',
    does: 'Create a route: a name that calls may ask for, and the models that answer it.',
    call: `POST ${ORGANIZATION}/routes`,
    args: 'name!',
    flags: `match! targets! ${ROUTE_FLAGS} external-id`,
  },
  { command: 'route get', does: 'Show a route.', call: `GET ${ORGANIZATION}/routes/{route_id}` },
  {
    command: 'route update',
    does: 'Change a route.',
    call: `POST ${ORGANIZATION}/routes/{route_id}`,
    flags: `name match targets ${ROUTE_FLAGS} set-by`,
  },
  { command: 'route delete', does: 'Delete a route.', call: `DELETE ${ORGANIZATION}/routes/{route_id}`, destroys: true },

  // --- money
  {
    command: 'price list',
    does: 'List prices, in USD per million tokens.',
    call: `GET ${ORGANIZATION}/prices`,
    flags: 'provider model',
    columns: 'id provider model input output cache_read effective_at source',
  },
  {
    command: 'price get',
    does: 'Show a price.',
    call: `GET ${ORGANIZATION}/prices/{price_id}`,
  },
  {
    command: 'price set',
    does: 'Set the price of a model, in USD per million tokens.',
    call: `POST ${ORGANIZATION}/prices`,
    args: 'provider! model!',
    flags: `input! output! ${PRICE_FLAGS}`,
  },
  {
    command: 'price history',
    does: 'List all prices that a model had and will have.',
    call: `GET ${ORGANIZATION}/prices`,
    args: 'provider! model!',
    columns: 'effective_at input output cache_read cache_write source notes',
  },
  {
    command: 'price rerate',
    does: 'Show what booked calls would cost at the current prices; --apply books the differences.',
    call: `POST ${ORGANIZATION}/prices/rerate`,
    flags: 'since! until provider model apply reason',
  },
  {
    command: 'budget list',
    does: 'List budgets.',
    call: `GET ${ORGANIZATION}/budgets`,
    columns: 'id scope.kind scope.value limit period mode current_period.spent current_period.held current_period.remaining',
  },
  {
    command: 'budget create',
    does: 'Create a budget.',
    call: `POST ${ORGANIZATION}/budgets`,
    flags: 'scope! limit! period! mode four-eyes timezone anchor window-seconds thresholds external-id metadata',
  },
  {
    command: 'budget get',
    does: 'Show a budget, with the amounts spent and held in its current period.',
    call: `GET ${ORGANIZATION}/budgets/{budget_id}`,
  },
  {
    command: 'budget update',
    does: 'Change a budget.',
    call: `POST ${ORGANIZATION}/budgets/{budget_id}`,
    flags: 'limit mode four-eyes timezone anchor thresholds set-by metadata',
  },
  {
    command: 'budget grant',
    does: 'Raise the limit of the current period by an amount, in USD.',
    call: `POST ${ORGANIZATION}/budgets/{budget_id}/grants`,
    args: 'amount!',
    flags: 'reason scope-value',
  },
  {
    command: 'budget grants',
    does: 'List the latest grants of a budget.',
    call: `GET ${ORGANIZATION}/budgets/{budget_id}/grants`,
    columns: 'id scope_value amount taken_back granted_by reason created_at',
    whole: true,
  },
  {
    command: 'budget periods',
    does: 'List the latest periods of a budget.',
    call: `GET ${ORGANIZATION}/budgets/{budget_id}/periods`,
    flags: 'scope-value',
    columns: 'scope_value starts_at ends_at limit granted spent held remaining',
    whole: true,
  },
  {
    command: 'budget reset',
    does: 'Set the amount spent in the current period to zero.',
    call: `POST ${ORGANIZATION}/budgets/{budget_id}/reset`,
    flags: 'reason scope-value',
    destroys: true,
  },
  { command: 'budget delete', does: 'Delete a budget.', call: `DELETE ${ORGANIZATION}/budgets/{budget_id}`, destroys: true },
  {
    command: 'limit list',
    does: 'List rate limits.',
    call: `GET ${ORGANIZATION}/rate_limits`,
    columns: 'id scope.kind scope.value max_requests_per_1_minute max_tokens_per_1_minute max_concurrent_requests',
  },
  {
    command: 'limit create',
    does: 'Create a rate limit.',
    call: `POST ${ORGANIZATION}/rate_limits`,
    flags: `scope! ${LIMIT_FLAGS} external-id`,
  },
  { command: 'limit get', does: 'Show a rate limit.', call: `GET ${ORGANIZATION}/rate_limits/{rate_limit_id}` },
  {
    command: 'limit update',
    does: 'Change a rate limit.',
    call: `POST ${ORGANIZATION}/rate_limits/{rate_limit_id}`,
    flags: `${LIMIT_FLAGS} set-by`,
  },
  { command: 'limit delete', does: 'Delete a rate limit.', call: `DELETE ${ORGANIZATION}/rate_limits/{rate_limit_id}`, destroys: true },
  {
    command: 'approval list',
    does: 'List calls beyond a budget that wait for a decision, and what became of them.',
    call: `GET ${ORGANIZATION}/approvals`,
    flags: 'state',
    columns: 'id state model amount end_user session created_at expires_at',
  },
  {
    command: 'approval get',
    does: 'Show an approval, with what each budget lacks.',
    call: `GET ${ORGANIZATION}/approvals/{approval_id}`,
  },
  {
    command: 'approval approve',
    does: 'Approve this very call, once; or an amount, with --amount.',
    call: `POST ${ORGANIZATION}/approvals/{approval_id}/approve`,
    flags: 'amount seconds reason',
  },
  {
    command: 'approval reject',
    does: 'Reject a call.',
    call: `POST ${ORGANIZATION}/approvals/{approval_id}/reject`,
    flags: 'reason',
  },

  // --- calls
  {
    command: 'call list',
    does: 'List calls that have ended, the latest first.',
    call: `GET ${ORGANIZATION}/calls`,
    flags: 'project-id api-key-id model status',
    columns: 'id created_at status requested_model provider usage.input_tokens usage.output_tokens cost error_code',
  },
  { command: 'call get', does: 'Show a call: its tokens, cost and attempts.', call: `GET ${ORGANIZATION}/calls/{call_id}` },
  {
    command: 'call explain',
    does: 'Explain a call: its route, attempts, holds, costs and budgets.',
    call: `GET ${ORGANIZATION}/calls/{call_id}/explain`,
  },
  {
    command: 'egress list',
    does: 'List egress rules.',
    call: `GET ${ORGANIZATION}/egress_rules`,
    columns: 'id provider method path price set_by',
  },
  {
    command: 'egress create',
    does: 'Allow a path of a provider’s own API.',
    call: `POST ${ORGANIZATION}/egress_rules`,
    args: 'provider! method! path!',
    flags: 'query price external-id metadata',
  },
  {
    command: 'egress delete',
    does: 'Delete an egress rule.',
    call: `DELETE ${ORGANIZATION}/egress_rules/{egress_rule_id}`,
    destroys: true,
  },

  // --- people, webhooks, the audit log
  {
    command: 'member list',
    does: 'List members.',
    call: `GET ${ORGANIZATION}/users`,
    columns: 'id email name role project_id has_second_factor added_at disabled_at',
  },
  { command: 'member get', does: 'Show a member.', call: `GET ${ORGANIZATION}/users/{user_id}` },
  {
    command: 'member update',
    does: 'Change a member.',
    call: `POST ${ORGANIZATION}/users/{user_id}`,
    flags: 'name email role project-id disabled external-id',
  },
  { command: 'member remove', does: 'Remove a member.', call: `DELETE ${ORGANIZATION}/users/{user_id}`, destroys: true },
  {
    command: 'invite list',
    does: 'List invites, including those that are over.',
    call: `GET ${ORGANIZATION}/invites`,
    columns: 'id email role status created_at expires_at',
  },
  {
    command: 'invite create',
    does: 'Invite a person. The token is shown once; give it to that person.',
    call: `POST ${ORGANIZATION}/invites`,
    args: 'email!',
    flags: 'role project-id',
  },
  { command: 'invite revoke', does: 'Revoke an invite.', call: `DELETE ${ORGANIZATION}/invites/{invite_id}`, destroys: true },
  {
    command: 'webhook list',
    does: 'List webhooks.',
    call: `GET ${ORGANIZATION}/webhooks`,
    columns: 'id name format address types enabled',
  },
  {
    command: 'webhook create',
    does: 'Create a webhook. Its secret is shown once.',
    call: `POST ${ORGANIZATION}/webhooks`,
    args: 'name!',
    flags: `format ${WEBHOOK_FLAGS}`,
  },
  { command: 'webhook get', does: 'Show a webhook.', call: `GET ${ORGANIZATION}/webhooks/{webhook_id}` },
  {
    command: 'webhook update',
    does: 'Change a webhook.',
    call: `POST ${ORGANIZATION}/webhooks/{webhook_id}`,
    flags: `name enabled ${WEBHOOK_FLAGS}`,
  },
  { command: 'webhook test', does: 'Send a test event to a webhook.', call: `POST ${ORGANIZATION}/webhooks/{webhook_id}/test` },
  {
    command: 'webhook rotate',
    does: 'Give a webhook a new secret, which is shown once.',
    call: `POST ${ORGANIZATION}/webhooks/{webhook_id}/rotate`,
    flags: 'overlap-seconds',
  },
  {
    command: 'webhook deliveries',
    does: 'List the deliveries of a webhook.',
    call: `GET ${ORGANIZATION}/webhooks/{webhook_id}/deliveries`,
    flags: 'state',
    columns: 'id type state attempts last_status last_failure event_at',
  },
  {
    command: 'webhook replay',
    does: 'Send all dead deliveries of a webhook once more.',
    call: `POST ${ORGANIZATION}/webhooks/{webhook_id}/deliveries/replay`,
  },
  {
    command: 'webhook delete',
    does: 'Delete a webhook and its deliveries.',
    call: `DELETE ${ORGANIZATION}/webhooks/{webhook_id}`,
    destroys: true,
  },
  {
    command: 'audit list',
    does: 'List changes, the latest first.',
    call: `GET ${ORGANIZATION}/audit_logs`,
    flags: 'event-types actor-ids resource-ids after-time before-time',
    columns: 'effective_at type actor.type actor.id resource.type resource.id ip_address',
  },
  { command: 'settings get', does: 'Show the settings of the tenant.', call: `GET ${ORGANIZATION}/settings` },
  {
    command: 'settings update',
    does: 'Change the settings of the tenant.',
    call: `POST ${ORGANIZATION}/settings`,
    flags: 'default-model keep-answers',
  },
];
