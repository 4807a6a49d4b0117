import { setBy } from '../kernel/setting-of.js';
import { type Config, ConfigError } from '../platform/config/index.js';
import { migrate, NoSessions, OtherDatabase } from '../platform/postgres/index.js';

const SAME =
  ' of another server or installation. Set both to the same database: DATABASE_DIRECT_URL is only another way to it, past a pooler';

type Settings = Pick<Config, 'databaseDirectUrl' | 'databaseRole' | 'redis' | 'roles'>;

/** Applies the migrations that are missing. @param url for calls. Answers their names. @throws ConfigError where the URLs lead to no session, or to two databases */
export async function migrateDatabase(url: string, { databaseDirectUrl, databaseRole, redis, roles }: Settings): Promise<string[]> {
  const options = { role: databaseRole, hasQueues: redis === null && roles.has('worker') };
  try {
    if (databaseDirectUrl === null) return await migrate(url, options);
    return await setBy('DATABASE_DIRECT_URL', migrate(databaseDirectUrl, { ...options, callsUrl: url }));
  } catch (error) {
    if (error instanceof OtherDatabase) throw new ConfigError([`DATABASE_URL leads to ${error.message}${SAME}`]);
    if (!(error instanceof NoSessions)) throw error;
    throw new ConfigError([
      databaseDirectUrl === null
        ? 'DATABASE_URL leads to a connection pooler in transaction mode. Set DATABASE_DIRECT_URL to the Postgres behind it, or to a pooler in session mode: migrations, news of changes and queues need a session. Calls go on through DATABASE_URL'
        : 'DATABASE_DIRECT_URL leads to a connection pooler in transaction mode. Set it to the Postgres behind it, or to a pooler in session mode',
    ]);
  }
}
