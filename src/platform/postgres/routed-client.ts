import pg from 'pg';
import { type Address, leadToSame, type Route, readAddress } from './address.js';

/** A probe gives up on a server after this long and tries the next. */
const PROBE_MS = 5_000;
/** Postgres' word for a server that takes no connections yet: a standby that is not promoted is waited for like one that starts. */
const CANNOT_CONNECT_NOW = '57P03';

/** What `pg.Client` has and its types do not know. */
interface ClientParts {
  connection: { ssl: unknown };
  processID: number;
}

type Done = (error?: Error | null) => void;
export type Options = Omit<pg.ClientConfig, 'connectionString' | 'host' | 'port' | 'ssl' | 'options'> & { url: string };

const known = new Map<string, Endpoint>();

/** The server that a URL leads to. All connections by one URL share it. @throws AddressFault */
export function endpointOf(url: string): Endpoint {
  const endpoint = known.get(url) ?? new Endpoint(readAddress(url));
  known.set(url, endpoint);
  return endpoint;
}

/** New connections by a URL use password and certificates of another that leads to the same database as the same role; of others nothing. */
export function renewEndpoint(url: string, next: string): void {
  const address = readAddress(next);
  if (leadToSame(endpointOf(url).address, address)) endpointOf(url).renew(address);
}

/** The role that a URL names. */
export const userOf = (url: string): string | null => endpointOf(url).address.user ?? null;

/** The schema that a URL names; null: none. */
export const schemaOf = (url: string): string | null => endpointOf(url).address.schema;

/** Of several ways to a database: the one that was found to work, until it does not. */
class Endpoint {
  private chosen: Promise<Route> | null = null;

  constructor(private current: Address) {}

  get address(): Address {
    return this.current;
  }

  renew(address: Address): void {
    this.current = address;
    this.forget();
  }

  get hasChoice(): boolean {
    return this.address.routes.length > 1;
  }

  /** @throws the error of the server that was tried last */
  route(): Promise<Route> {
    const { routes } = this.address;
    if (routes.length === 1) return Promise.resolve(routes[0]!);
    const choosing = this.chosen ?? this.choose();
    this.chosen = choosing;
    choosing.catch(() => this.forget());
    return choosing;
  }

  forget(): void {
    this.chosen = null;
  }

  /** Settings of a client, but for where it connects to. */
  get settings(): pg.ClientConfig {
    const { user, password, database, more } = this.address;
    return { ...more, ...(user && { user }), ...(password && { password }), ...(database && { database }) };
  }

  /** @throws where the server at the end of this connection is not of the wanted kind */
  async check(client: pg.Client, { host, port }: Route): Promise<void> {
    const { wants } = this.address;
    if (wants === 'any') return;
    const text = `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS "isReadOnly"`;
    // Also of a connection that would have to enter a scope first.
    const ask = pg.Client.prototype.query as (text: string) => Promise<pg.QueryResult<{ isReadOnly: boolean }>>;
    const { isReadOnly } = (await ask.call(client, text)).rows[0]!;
    if (isReadOnly === (wants === 'reads')) return;
    const error = new Error(`Postgres at ${host}:${port} ${isReadOnly ? 'takes no writes' : 'is no standby'}`);
    throw Object.assign(error, { code: CANNOT_CONNECT_NOW });
  }

  private async choose(): Promise<Route> {
    let failure: unknown;
    for (const route of this.address.routes) {
      const client = new pg.Client({ ...this.settings, ...route, connectionTimeoutMillis: PROBE_MS, application_name: 'weir-probe' });
      client.on('error', () => {});
      try {
        await client.connect();
        await this.check(client, route);
        return route;
      } catch (error) {
        failure = error;
      } finally {
        await client.end().catch(() => {});
      }
    }
    throw failure;
  }
}

/** A connection to whichever server of a URL will do. */
export class RoutedClient extends pg.Client {
  protected readonly endpoint: Endpoint;

  constructor({ url, ...options }: Options) {
    const endpoint = endpointOf(url);
    super({ ...options, ...endpoint.settings });
    this.endpoint = endpoint;
    // One that breaks between two statements would end the process: the next statement tells.
    this.on('error', () => {});
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: Done): void;
  override connect(callback?: Done): unknown {
    const connecting = this.open();
    if (!callback) return connecting;
    return connecting.then(() => callback(null), callback);
  }

  /** The number of the server process that the connection was promised. A pooler makes one up. */
  get promisedPid(): number {
    return (this as unknown as ClientParts).processID;
  }

  protected async open(): Promise<pg.Client> {
    try {
      const route = await this.endpoint.route();
      const { host, port, ssl } = route;
      Object.assign(this, { host, port, ssl });
      (this as unknown as ClientParts).connection.ssl = ssl;
      await super.connect();
      if (this.endpoint.hasChoice) await this.endpoint.check(this, route);
      return this;
    } catch (error) {
      this.endpoint.forget();
      await this.end().catch(() => {});
      throw error;
    }
  }
}

/** A pool of such connections, for libraries that keep to a session of their own. @param prepare is done with each new one first */
export class RoutedPool extends pg.Pool {
  constructor({ url, ...options }: Options & Pick<pg.PoolConfig, 'max'>, prepare: (client: pg.ClientBase) => Promise<unknown>) {
    super({
      ...options,
      ...{ url },
      Client: RoutedClient as unknown as new () => pg.ClientBase,
      onConnect: prepare as (client: pg.ClientBase) => void,
    });
    // Each of those who share it listens.
    this.setMaxListeners(0);
    this.on('error', () => {});
  }
}
