import { type Config, ConfigError } from '../platform/config/index.js';
import { migrateDatabase } from './database.js';

/** Applies the migrations that are missing, for deployments that do so before they start anything. Answers what to print. @throws ConfigError */
export async function migrateOnly(config: Config): Promise<string> {
  const { databaseUrl } = config;
  if (databaseUrl === null) throw new ConfigError(['migrate needs DATABASE_URL; the embedded Postgres is migrated when Weir starts']);
  const applied = await migrateDatabase(databaseUrl, config);
  return applied.length === 0 ? 'The database is up to date.\n' : `Applied ${applied.length} migrations, the last ${applied.at(-1)}.\n`;
}
