import type { Shell } from './completion.js';
import { readFlag } from './flags.js';

interface ExportOptions {
  readonly url: string;
  readonly key?: string;
  readonly shell: Shell;
}

/** Variables that lead the SDKs and agents to Weir. Without a key they take that of WEIR_API_KEY. */
export function printExports({ url, key, shell }: ExportOptions, env: NodeJS.ProcessEnv): void {
  const base = url.replace(/\/+$/, '');
  const value = key === undefined ? null : quoted(String(readFlag('key', key, env)));
  const variables = {
    ...(value !== null && { WEIR_API_KEY: value }),
    OPENAI_BASE_URL: quoted(`${base}/v1`),
    OPENAI_API_KEY: value ?? '"$WEIR_API_KEY"',
    ANTHROPIC_BASE_URL: quoted(base),
    ANTHROPIC_AUTH_TOKEN: value ?? '"$WEIR_API_KEY"',
  };
  for (const [name, text] of Object.entries(variables))
    process.stdout.write(shell === 'fish' ? `set -gx ${name} ${text}\n` : `export ${name}=${text}\n`);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
