const SERVE = 'SELECT, INSERT, UPDATE';
const BOOK = 'SELECT, INSERT';
const KEEP = 'SELECT, INSERT, UPDATE, DELETE';

/**
 * What the run-time role may do. A start grants what is missing of it: in a new database, of what a migration has added, and after a restore into a
 * cluster without the role, which loses it all.
 */
export const GRANTS = {
  tables: {
    admin_keys: SERVE,
    api_keys: SERVE,
    budget_periods: SERVE,
    budget_slices: KEEP,
    budget_statements: BOOK,
    budgets: SERVE,
    calls: BOOK,
    config_changes: SERVE,
    connections: KEEP,
    credential_health: SERVE,
    credentials: KEEP,
    data_keys: SERVE,
    gateways: BOOK,
    grants: BOOK,
    held_apart: 'SELECT',
    holds: SERVE,
    idempotency_keys: KEEP,
    idempotent_calls: KEEP,
    kept_answer_totals: SERVE,
    ledger_entries: BOOK,
    limit_counters: SERVE,
    limits: SERVE,
    models: KEEP,
    outbox: SERVE,
    prices: BOOK,
    projects: SERVE,
    provider_grants: 'SELECT, INSERT, DELETE',
    provider_headers: 'SELECT, INSERT, DELETE',
    providers: SERVE,
    tenants: SERVE,
  },
  sequences: { config_version: 'USAGE' },
  /** Functions that not everybody may call, in all their versions: who may. */
  functions: {
    book_unheld: 'runtime',
    copy_default_rows: 'runtime',
    delete_tenant: 'runtime',
    drop_oldest_month: 'runtime',
    erase_calls: 'runtime',
    erase_tenant: 'runtime',
    expire_gateway: 'runtime',
    forget_gateway: 'runtime',
    free_held_apart: 'runtime',
    has_default_rows: 'runtime',
    hold_batch: 'runtime',
    keep_functions: 'runtime',
    mark_gone: 'owner',
    purge_counters: 'runtime',
    purge_deleted: 'runtime',
    purge_events: 'runtime',
    purge_holds: 'runtime',
    purge_idle_periods: 'runtime',
    purge_periods: 'runtime',
    remove_periods: 'owner',
    replace_default: 'runtime',
    settle_calls: 'runtime',
    isolate_tenants: 'owner',
  },
} as const;
