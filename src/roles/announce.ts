import type { Config } from '../platform/config/index.js';
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

/** What a person sees once Weir is ready. @param signIn a link to become the first operator who signs in; null: none. */
export function readyText(weir: Weir, config: Config, startupMs: number, signIn: string | null): string {
  const { publicUrl, adminUrl, start } = weir;
  const lines = [`Weir is ready (${(startupMs / 1000).toFixed(1)} s)`, ''];
  if (publicUrl) lines.push(row('Calls', `${publicUrl}/v1`, 'OpenAI-compatible API'));
  lines.push(row('Admin', adminUrl, config.roles.has('control') ? 'admin REST, /openapi.json, /readyz, /metrics' : '/readyz, /metrics'));
  lines.push(
    row(
      'Database',
      config.databaseUrl ? 'DATABASE_URL' : `embedded, under ${config.home}`,
      config.roles.has('worker') ? `queues in ${config.redis ? 'Redis' : 'Postgres'}` : '',
    ),
  );
  if (start?.platformProviders.length) lines.push(row('Providers', start.platformProviders.join(', '), 'keys found in the environment'));
  if (start?.operatorKey) lines.push('', row('Operator key', start.operatorKey, 'shown this once: keep it'));
  if (signIn) lines.push('', row('Sign in', signIn, 'once, within 10 minutes'));
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
