import { type Config, ConfigError } from '../platform/config/index.js';
import type { Weir } from './weir.js';

/** One line for programs: the addresses, and the keys where this start has them to show. */
export function readyJson({ publicUrl, adminUrl, start }: Weir): string {
  const demo = start?.demo;
  const ready = {
    event: 'ready',
    public: publicUrl,
    admin: adminUrl,
    operator_key: demo?.operator_key ?? start?.operatorKey ?? null,
    tenant: demo?.tenant ?? null,
    tenant_admin_key: demo?.tenant_admin_key ?? null,
    project: demo?.project ?? null,
    api_key: demo?.api_key ?? null,
  };
  return `${JSON.stringify(ready)}\n`;
}

/** What a person sees once Weir is ready. */
export function readyText(weir: Weir, config: Config, startupMs: number): string {
  const { publicUrl, adminUrl, start } = weir;
  const lines = [`Weir is ready (${(startupMs / 1000).toFixed(1)} s)`, ''];
  if (publicUrl) lines.push(row('Calls', `${publicUrl}/v1`, 'OpenAI-compatible API'));
  lines.push(row('Admin', adminUrl, config.roles.has('control') ? 'admin REST, /openapi.json, /readyz, /metrics' : '/readyz, /metrics'));
  lines.push(
    row(
      'Database',
      config.databaseUrl ? 'DATABASE_URL' : `embedded, under ${config.home}`,
      `queues in ${config.redisUrl ? 'Redis' : 'Postgres'}`,
    ),
  );
  if (start?.platformProviders.length) lines.push(row('Providers', start.platformProviders.join(', '), 'keys found in the environment'));
  if (start?.operatorKey) lines.push('', row('Operator key', start.operatorKey, 'shown this once: keep it'));
  if (start?.demo) lines.push('', ...demoLines(start.demo, publicUrl));
  return `${lines.join('\n')}\n`;
}

function demoLines(demo: NonNullable<NonNullable<Weir['start']>['demo']>, publicUrl: string | null): string[] {
  const lines = [
    row('API key', demo.api_key, ''),
    row('Tenant admin', demo.tenant_admin_key, ''),
    row('Operator', demo.operator_key, ''),
    row('Demo tenant', demo.tenant, `project ${demo.project}, $10.00 a month`),
  ];
  if (!publicUrl) return lines;
  const body = `{"model":"mock/echo","stream":true,"messages":[{"role":"user","content":"Hello, Weir!"}]}`;
  return [
    ...lines,
    '',
    'Try it:',
    '',
    `curl -N ${publicUrl}/v1/chat/completions \\`,
    `  -H 'Authorization: Bearer ${demo.api_key}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '${body}'`,
  ];
}

const row = (name: string, value: string, note: string): string => `  ${name.padEnd(13)} ${value}${note ? `   ${note}` : ''}`;

/** Why Weir could not start: a line per fault, each saying what to do. No secret is in it. */
export function describeFailure(error: unknown): string {
  if (error instanceof ConfigError) return error.faults.map((fault) => `weir: ${fault}`).join('\n');
  const { code, port, address, message, path } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if ((code === 'EACCES' || code === 'EPERM') && path)
    return `weir: this user may not use ${path}; run as the user it belongs to, or set WEIR_HOME to another directory`;
  if (code === 'EADDRINUSE')
    return `weir: port ${port} is taken on ${address}; set WEIR_PUBLIC_PORT or WEIR_ADMIN_PORT to a free one, or 0 for any`;
  if (code === 'EACCES' && port) return `weir: port ${port} needs more rights; set WEIR_PUBLIC_PORT or WEIR_ADMIN_PORT to one above 1023`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `weir: cannot listen on or find ${address ?? message}; check WEIR_PUBLIC_HOST, WEIR_ADMIN_HOST and DATABASE_URL`;
  if (code === 'ECONNREFUSED' || code === 'ETIMEDOUT' || (code === undefined && /^timeout (expired|exceeded)/.test(message)))
    return `weir: Postgres does not answer${address ? ` at ${address}:${port}` : ''}; check DATABASE_URL and that the server runs`;
  if (code === '28P01' || code === '28000' || code === '3D000') return `weir: Postgres refuses DATABASE_URL: ${message}`;
  return `weir: ${error instanceof Error ? error.message : String(error)}`;
}
