import type { Client } from './client.js';
import type { Form } from './output.js';
import type { Choice } from './settings.js';

/** What each command works with. */
export interface Session {
  readonly client: Client;
  readonly form: Form;
  readonly env: NodeJS.ProcessEnv;
  readonly choice: Choice;
  /** `--yes` */
  readonly isSure: boolean;
}
