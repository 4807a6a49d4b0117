import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { newId } from '../kernel/ids.js';
import { Keyring, MasterKeyMismatch, Secret } from '../platform/crypto/index.js';
import {
  CONFIG_POOL,
  createPool,
  DATABASE_URL,
  isUniqueViolation,
  type OwnedTable,
  type Pool,
  Prisma,
  type PrismaExecutor,
  rowsByOwner,
} from '../platform/postgres/index.js';
import type { ProviderRecord } from '../providers/index.js';
import type { Connection, OpenConnection } from './connection.js';
import type { Access, DeviceLogin, TokenGrant } from './flows/flow.js';
import { LoginRefused } from './login-errors.js';

/** A renewal keeps a connection while it asks the vendor: no other work may wait behind it. Opened when first needed. */
const RENEWAL_POOL = { max: 4, statementTimeoutMs: 15_000, name: 'connections' };

/** Whoever waits for another's renewal gives up by then; who holds the row and was stopped in the midst of it loses it. */
const BEGIN_RENEWAL = `BEGIN; SET LOCAL idle_in_transaction_session_timeout = '14s'`;

type Purpose = 'device-code' | 'refresh-token' | 'access-token';
type Owner = Pick<Connection, 'id' | 'tenantId' | 'origin'>;
type Device = Readonly<Record<string, string>>;

interface Row extends Connection {
  refreshToken: Uint8Array | null;
  accessToken: Uint8Array | null;
}

@Injectable()
export class ConnectionsRepository implements OnModuleDestroy {
  private pool: Pool | null = null;

  constructor(
    private readonly prisma: Prisma,
    private readonly keyring: Keyring,
    @Inject(DATABASE_URL) private readonly databaseUrl: string,
    @Inject(CONFIG_POOL) private readonly configPool: Pool,
  ) {}

  async onModuleDestroy(): Promise<void> {
    await this.pool?.end();
  }

  /**
   * Keeps a login that waits, instead of what was there.
   * @throws WeirError credential_unavailable when nobody could open it later, conflict
   */
  async begin(provider: ProviderRecord, login: DeviceLogin, now: Date): Promise<Connection> {
    const owner = { id: newId(), tenantId: provider.tenantId!, origin: new URL(provider.baseUrl).origin };
    const data = {
      ...owner,
      providerId: provider.id,
      state: 'pending',
      deviceCode: await this.seal(owner, 'device-code', JSON.stringify(login.device)),
      deviceExpiresAt: login.expiresAt,
      intervalSeconds: login.intervalSeconds,
      pollAfter: new Date(now.getTime() + login.intervalSeconds * 1000),
    };
    try {
      return await this.prisma.$transaction(async (db) => {
        await this.drop(owner.tenantId, provider.id, db);
        return (await db.connection.create({ data, select: PUBLIC })) as Connection;
      });
    } catch (error) {
      if (isUniqueViolation(error))
        throw new WeirError('conflict', { message: 'Another login of this provider began at the same moment. Try again.' });
      throw error;
    }
  }

  async find(tenantId: string, providerId: string): Promise<Connection | null> {
    return (await this.prisma.connection.findFirst({ where: { tenantId, providerId }, select: PUBLIC })) as Connection | null;
  }

  /** Destroys what is kept of it. False: there was nothing. */
  async drop(tenantId: string, providerId: string, db: PrismaExecutor = this.prisma): Promise<boolean> {
    return (await db.connection.deleteMany({ where: { tenantId, providerId } })).count > 0;
  }

  /** Takes the turn to ask for the outcome of a login: what asking needs. Null: it is not due, or another took the turn. */
  async claim({ id, tenantId, intervalSeconds }: Connection, now: Date): Promise<Device | null> {
    const pollAfter = new Date(now.getTime() + intervalSeconds * 1000);
    const due = { id, tenantId, state: 'pending', pollAfter: { lte: now } };
    const { count } = await this.prisma.connection.updateMany({ where: due, data: { pollAfter } });
    if (count === 0) return null;
    const row = await this.prisma.connection.findFirst({ where: { id, tenantId } });
    return row?.deviceCode ? (JSON.parse((await this.open(row, 'device-code', row.deviceCode)).reveal()) as Device) : null;
  }

  /** The vendor wants to be asked less often from now on. */
  async slowDown({ id, tenantId }: Connection, intervalSeconds: number, now: Date): Promise<void> {
    const pollAfter = new Date(now.getTime() + intervalSeconds * 1000);
    await this.prisma.connection.updateMany({ where: { id, tenantId, state: 'pending' }, data: { intervalSeconds, pollAfter } });
  }

  async connect(connection: Connection, { refreshToken, access }: TokenGrant, now: Date): Promise<void> {
    const { id, tenantId } = connection;
    const data = {
      state: 'connected',
      lastError: null,
      deviceCode: null,
      refreshToken: refreshToken === null ? null : await this.seal(connection, 'refresh-token', refreshToken),
      ...(await this.sealedAccess(connection, access)),
      connectedAt: now,
    };
    await this.prisma.connection.updateMany({ where: { id, tenantId, state: 'pending' }, data });
  }

  /** Ends a login or a connection; its secrets are destroyed. False: it has gone on meanwhile, by a newer token. */
  async end({ id, tenantId, state, renewal }: Connection, after: 'expired' | 'failed', lastError: string): Promise<boolean> {
    const { count } = await this.prisma.connection.updateMany({
      where: { id, tenantId, state, renewal },
      data: { ...ENDED, state: after, lastError },
    });
    return count > 0;
  }

  /** Every connection of these tenants (null: all), opened, tenant by tenant. One that cannot be opened is reported. */
  openAll(
    tenantIds: readonly string[] | null,
    unreadable: (id: string) => void,
  ): AsyncGenerator<[tenantId: string, open: OpenConnection[]]> {
    return rowsByOwner<Row, OpenConnection>(this.configPool, CONNECTIONS, tenantIds, (row) => this.opened(row, unreadable));
  }

  /**
   * Replaces the access token of a connection, unless another process has done so. The row is locked meanwhile, so of all who want it one
   * asks, and the new refresh token is stored before the new access token is used.
   * @param ask answers the new tokens. LoginRefused ends the connection.
   * @throws WeirError credential_unavailable, and what `ask` throws
   */
  async renew(known: Connection, ask: (refreshToken: Secret) => Promise<TokenGrant>): Promise<OpenConnection | null> {
    this.pool ??= createPool(this.databaseUrl, RENEWAL_POOL);
    const client = await this.pool.connect();
    // Between two statements nobody else hears that the server has cut it off; the next statement says so.
    client.on('error', ignored);
    try {
      await client.query(BEGIN_RENEWAL);
      const { rows } = await client.query<Row>(LOCK, [known.id, known.tenantId]);
      const row = rows[0];
      if (row?.state !== 'connected' || row.renewal !== known.renewal) {
        return row ? this.opened(row, () => {}) : null;
      }
      const grant = await this.ask(row, ask);
      if (grant instanceof LoginRefused) {
        await client.query(EXPIRE, [row.id, row.tenantId, grant.reason]);
        await client.query('COMMIT');
        throw grant;
      }
      const refreshToken = grant.refreshToken === null ? row.refreshToken : await this.seal(row, 'refresh-token', grant.refreshToken);
      const { accessToken, accessExpiresAt } = await this.sealedAccess(row, grant.access);
      await client.query(RENEWED, [row.id, row.tenantId, refreshToken, accessToken, accessExpiresAt]);
      await client.query('COMMIT');
      return { ...publicPart(row), renewal: row.renewal + 1, accessExpiresAt, access: grant.access };
    } finally {
      // Whatever it had begun goes with it.
      client.release(true);
    }
  }

  /** A refusal is an answer. */
  private async ask(row: Row, ask: (refreshToken: Secret) => Promise<TokenGrant>): Promise<TokenGrant | LoginRefused> {
    try {
      return await ask(await this.refreshTokenOf(row));
    } catch (error) {
      if (error instanceof LoginRefused) return error;
      throw error;
    }
  }

  /** @throws LoginRefused where the vendor gave none, WeirError credential_unavailable */
  private async refreshTokenOf(row: Row): Promise<Secret> {
    if (row.refreshToken === null) throw new LoginRefused('no_refresh_token');
    try {
      return await this.open(row, 'refresh-token', row.refreshToken);
    } catch (cause) {
      throw new WeirError('credential_unavailable', { cause });
    }
  }

  private async opened(row: Row, unreadable: (id: string) => void): Promise<OpenConnection> {
    if (row.accessToken === null) return { ...publicPart(row), access: null };
    try {
      return { ...publicPart(row), access: JSON.parse((await this.open(row, 'access-token', row.accessToken)).reveal()) as Access };
    } catch {
      unreadable(row.id);
      return { ...publicPart(row), access: null };
    }
  }

  private async sealedAccess(owner: Owner, access: Access | null) {
    return {
      accessToken: access && (await this.seal(owner, 'access-token', JSON.stringify(access))),
      accessExpiresAt: access?.expiresAt ? new Date(access.expiresAt) : null,
    };
  }

  private async seal(owner: Owner, purpose: Purpose, secret: string): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return new Uint8Array(await this.keyring.seal(owner.tenantId, new Secret(secret), context(owner, purpose)));
    } catch (cause) {
      throw cause instanceof MasterKeyMismatch ? new WeirError('credential_unavailable', { cause }) : cause;
    }
  }

  private open(owner: Owner, purpose: Purpose, sealed: Uint8Array): Promise<Secret> {
    return this.keyring.open(Buffer.from(sealed), context(owner, purpose));
  }
}

const ignored = () => {};

const context = ({ tenantId, id, origin }: Owner, purpose: Purpose): string => `v1|${tenantId}|${id}|${origin}|${purpose}`;

/** What may be shown. */
const PUBLIC = {
  id: true,
  tenantId: true,
  providerId: true,
  origin: true,
  state: true,
  lastError: true,
  intervalSeconds: true,
  pollAfter: true,
  deviceExpiresAt: true,
  accessExpiresAt: true,
  connectedAt: true,
  createdAt: true,
  renewal: true,
} as const;

function publicPart(row: Row): Connection {
  return Object.fromEntries(Object.keys(PUBLIC).map((name) => [name, row[name as keyof Connection]])) as unknown as Connection;
}

const ENDED = { deviceCode: null, refreshToken: null, accessToken: null, accessExpiresAt: null };

const COLUMNS = `t.id, t.tenant_id AS "tenantId", t.provider_id AS "providerId", t.origin, t.state, t.last_error AS "lastError",
  t.interval_seconds AS "intervalSeconds", t.poll_after AS "pollAfter", t.device_expires_at AS "deviceExpiresAt",
  t.refresh_token AS "refreshToken", t.access_token AS "accessToken", t.access_expires_at AS "accessExpiresAt",
  t.renewal, t.connected_at AS "connectedAt", t.created_at AS "createdAt"`;

const CONNECTIONS: OwnedTable = {
  columns: COLUMNS,
  table: 'connections',
  key: 'id',
  where: 'true',
  joined: { joins: 'LEFT JOIN providers provider ON provider.id = t.provider_id', where: 'provider.deleted_at IS NULL' },
  platform: false,
};

const LOCK = `SELECT ${COLUMNS} FROM connections t WHERE id = $1 AND tenant_id = $2 FOR UPDATE`;

const RENEWED = `
  UPDATE connections SET refresh_token = $3, access_token = $4, access_expires_at = $5, renewal = renewal + 1, last_error = NULL
  WHERE id = $1 AND tenant_id = $2`;

const EXPIRE = `
  UPDATE connections SET state = 'expired', last_error = $3, refresh_token = NULL, access_token = NULL, access_expires_at = NULL
  WHERE id = $1 AND tenant_id = $2`;
