import type { Environment } from '../../platform/config/index.js';

/** The secret text of a platform credential, and where it is used. */
export interface Found {
  secret: string;
  baseUrl: string;
  /** The model that the provider's bare name stands for. Absent: none. */
  defaultModel?: string | undefined;
}

/** Variables that make a credential together, beyond those that hold a plain key. */
export interface EnvironmentForm {
  names: readonly string[];
  /** @param envKeys of the type. Null: nothing is there. @throws ConfigError */
  read(environment: Environment, envKeys: readonly string[]): Found | null;
}
