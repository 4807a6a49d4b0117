import type { TestTenant, TestWeir } from '../../support/weir.js';
import { Browser } from './browser.js';

export const PASSWORD = 'correct horse battery staple';

let people = 0;

/** Makes a member of a tenant by an invite, signed in. */
export async function join(weir: TestWeir, tenant: TestTenant, role: string, more: object = {}) {
  const email = `person-${++people}@example.com`;
  const invite = await tenant.admin<{ token: string }>('POST', '/v1/organization/invites', { email, role, ...more });
  const browser = new Browser(weir);
  const reply = await browser.send('POST', '/v1/invites/accept', { token: invite.token, name: 'Somebody', password: PASSWORD });
  if (reply.status !== 200) throw new Error(`the invite was answered ${reply.status}: ${JSON.stringify(reply.body)}`);
  return { email, browser, id: reply.body.user_id as string };
}

/** Puts Postgres' clock forward, for good. */
export async function shiftClock(weir: TestWeir, interval: string): Promise<void> {
  await weir.db.query(
    `CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() + interval '${interval}' $$`,
  );
}
