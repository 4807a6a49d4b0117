import pg from 'pg';
import { RoutedClient } from './routed-client.js';
import { NOBODY, type TenantScope } from './tenant-scope.js';

/** Where a connection has landed. */
interface Place {
  schema: string;
  /** Of the run-time role. */
  role: string;
  /** It leads to a pooler, which may give each transaction to another server process: none may count on what an earlier one left behind. */
  isPooled: boolean;
}

const PLACE = (schema: string | null) => {
  const [name, prefix] = schema === null ? ['current_schema()', ''] : [pg.escapeLiteral(schema), `${pg.escapeIdentifier(schema)}.`];
  return `SELECT pg_backend_pid() AS pid, ${name} AS schema, ${prefix}weir_runtime_role() AS role`;
};

/** What every transaction begins with. A commit means what it says, whatever the server's own settings are. */
const ENTER = `SELECT set_config('role', $1, true), set_config('search_path', $2, true), set_config('weir.tenant', $3, true),
  set_config('weir.admin', $4, true), set_config('statement_timeout', $5, true), set_config('synchronous_commit', 'on', true),
  set_config('jit', 'off', true), set_config('weir.actor', $6, true)`;
const ENTER_NAME = 'weir_enter';

type Answered = (error: Error | undefined, result: unknown) => void;

/** What `pg.Client` and `pg.Query` have and their types do not know. */
interface ClientParts {
  getTransactionStatus(): 'I' | 'T' | 'E' | null;
}
interface QueryParts {
  text?: string;
  values?: unknown[];
  name?: string;
  queryMode?: 'extended';
  callback?: Answered;
  submit(connection: pg.Connection): Error | null;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: pg.Connection): void;
}
const Query = pg.Query as unknown as new (config: unknown, values?: unknown, callback?: unknown) => QueryParts;

/**
 * A connection whose every transaction works as the run-time role, in the schema of the installation, for the scope that was set last. What says
 * so goes in front of the transaction's first statement, in the same message, and ends with the transaction: nothing is asked of the session, so
 * a pooler may stand between.
 */
export class RuntimeClient extends RoutedClient {
  scope: TenantScope = NOBODY;
  /** The scope of the transaction it is in, or was in last. */
  entered: TenantScope | null = null;
  /** The session has the statement `ENTER_NAME`. */
  isPrepared = false;
  private place: Place | null = null;

  /** Every form that `pg.Client` takes. */
  override query(...given: unknown[]): never {
    return this.ask(...(given as [unknown, unknown, unknown])) as never;
  }

  get isPooled(): boolean {
    return this.place!.isPooled;
  }

  get transactionStatus(): 'I' | 'T' | 'E' | null {
    return (this as unknown as ClientParts).getTransactionStatus();
  }

  /** The values of `ENTER`. */
  enterValues(): string[] {
    const { schema, role } = this.place!;
    const { tenantId, actsAs, statementTimeoutMs, actor = '' } = this.scope;
    return [role, `${pg.escapeIdentifier(schema)}, pg_temp`, tenantId, actsAs, String(statementTimeoutMs), actor];
  }

  protected override async open(): Promise<pg.Client> {
    await super.open();
    try {
      const { rows } = await super.query<{ pid: number; schema: string; role: string }>(PLACE(this.endpoint.address.schema));
      const { pid, schema, role } = rows[0]!;
      this.place = { schema, role, isPooled: pid !== this.promisedPid };
      return this;
    } catch (error) {
      await this.end().catch(() => {});
      throw error;
    }
  }

  private ask(config: unknown, values: unknown, callback: unknown): unknown {
    const query = new RuntimeQuery(this, config, values, callback);
    const send = () => super.query(query as unknown as pg.Submittable);
    if (query.callback) return send();
    return new Promise((resolve, reject) => {
      query.callback = (error, result) => (error ? reject(error) : resolve(result));
      send();
    }).catch((error) => {
      // The stack that leads to the socket says nothing: this one leads to whoever asked.
      if (error instanceof Error) Error.captureStackTrace(error);
      throw error;
    });
  }
}

/** A statement that enters the scope of its connection first, where it begins a transaction. */
class RuntimeQuery extends Query {
  private isEntering = false;
  readonly query_timeout: number | undefined;

  constructor(
    private readonly client: RuntimeClient,
    config: unknown,
    values: unknown,
    callback: unknown,
  ) {
    super(config, values, callback);
    this.query_timeout = (config as { query_timeout?: number }).query_timeout;
  }

  override submit(connection: pg.Connection): Error | null {
    if (this.client.isPooled) this.name = undefined;
    const { scope, entered } = this.client;
    if (this.client.transactionStatus !== 'I')
      return scope === entered ? super.submit(connection) : new Error('the connection is in a transaction of other work');
    this.client.entered = scope;
    const { text = '' } = this;
    if (BEGINS.test(text)) {
      this.text = text.replace(BEGINS, `$&; ${inPlain(this.client.enterValues())}`);
      return super.submit(connection);
    }
    connection.stream.cork();
    try {
      this.isEntering = true;
      this.queryMode = 'extended';
      this.enter(connection);
      return super.submit(connection);
    } finally {
      connection.stream.uncork();
    }
  }

  override handleDataRow(message: unknown): void {
    if (!this.isEntering) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: pg.Connection): void {
    if (!this.isEntering) return super.handleCommandComplete(message, connection);
    this.isEntering = false;
    this.client.isPrepared = !this.client.isPooled;
  }

  private enter(connection: pg.Connection): void {
    const name = this.client.isPooled ? '' : ENTER_NAME;
    const parts = connection as unknown as Record<'parse' | 'bind' | 'execute', (message: object) => void>;
    if (!this.client.isPrepared) parts.parse({ name, text: ENTER });
    parts.bind({ statement: name, values: this.client.enterValues() });
    parts.execute({ portal: '' });
  }
}

/** The statement that begins a transaction, up to its end. */
const BEGINS = /^\s*BEGIN\b[^;]*/i;

/** `ENTER` for a message that takes no values. */
const inPlain = (values: string[]): string => ENTER.replace(/\$(\d)/g, (_, number) => pg.escapeLiteral(values[number - 1]!));
