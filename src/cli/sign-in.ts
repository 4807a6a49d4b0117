import { Client, type Json } from './client.js';
import { EXIT, Failure } from './failure.js';
import { printItem } from './output.js';
import type { Session } from './session.js';
import { DEFAULT_PROFILE, type Profile, readProfiles, settingsFile, writeProfiles } from './settings.js';
import { readSecretly } from './terminal.js';

interface LoginOptions {
  readonly email?: string;
  readonly organization?: string;
}

const OPERATOR = 'weir_op_';

/** Keeps a key, or a person's session, once Weir has taken it. */
export async function logIn(session: Session, { email, organization }: LoginOptions): Promise<void> {
  const { client, choice, env } = session;
  const where = { admin_url: client.profile.admin_url, tenant: choice.tenant };
  const profile: Profile =
    email === undefined
      ? { ...where, admin_key: await readSecretly(`Admin key for ${where.admin_url}: `) }
      : { ...where, session: await signInAs(new Client(where), email, await readSecretly(`Password of ${email}: `), organization) };
  const self = await identify(new Client(profile));
  const name = choice.profile ?? DEFAULT_PROFILE;
  writeProfiles(env, { ...readProfiles(env), [name]: profile });
  process.stderr.write(`Signed in; kept in ${settingsFile(env)} as ${name}.\n`);
  printItem(self, session.form);
}

/** The cookie of a new session. */
async function signInAs(client: Client, email: string, password: string, organization: string | undefined): Promise<string> {
  const signIn = (code?: string) => client.send('POST', '/v1/auth/sign_in', { email, password, organization, code });
  let answer = await signIn();
  if (answer.text.includes('second_factor_required')) answer = await signIn(await readSecretly('Code of your authenticator app: '));
  const cookie = answer.headers.getSetCookie().find((one) => /^(__Host-)?weir=/.test(one));
  if (answer.status < 300 && cookie !== undefined) return cookie.split(';')[0]!;
  throw new Failure(messageOf(answer.text) ?? `signing in failed with status ${answer.status}`, EXIT.auth, 'weir login');
}

function messageOf(text: string): string | null {
  try {
    return (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    return null;
  }
}

export async function logOut({ client, choice, env }: Session): Promise<void> {
  const name = choice.profile ?? DEFAULT_PROFILE;
  const { [name]: gone, ...others } = readProfiles(env);
  if (gone === undefined) throw new Failure(`nobody is signed in as ${name}`, EXIT.auth, 'weir login');
  // A session ends at Weir too; if Weir is away, it ends by its age.
  if (gone.session !== undefined)
    await new Client({ ...gone, admin_url: gone.admin_url ?? client.profile.admin_url }).send('POST', '/v1/auth/sign_out').catch(() => {});
  writeProfiles(env, others);
  process.stderr.write(`Signed out of ${gone.admin_url}.\n`);
}

export async function whoAmI(session: Session): Promise<void> {
  printItem(await identify(session.client), session.form);
}

/** Asks Weir for something that every such caller may read, so what comes back was checked. */
async function identify(client: Client): Promise<Json> {
  const { admin_url, admin_key, session, tenant } = client.profile;
  if (admin_key === undefined && session === undefined) throw new Failure('nobody is signed in', EXIT.auth, 'weir login');
  if (admin_key === undefined) {
    const self = await client.request('GET', '/v1/auth/me');
    return { admin_url, kind: 'person', user: self['user'], organization: self['organization'] };
  }
  const isOperator = admin_key.startsWith(OPERATOR);
  const keys = isOperator ? '/v1/platform/operator_keys' : '/v1/organization/admin_api_keys';
  const projects = isOperator ? null : await client.request('GET', '/v1/organization/projects', { query: { limit: 1 } });
  const self = await ownKey(client, keys, admin_key).catch((error) => {
    // Not every role may see admin keys.
    if (projects !== null && error instanceof Failure && error.exit === EXIT.auth) return null;
    throw error;
  });
  return {
    admin_url,
    kind: isOperator ? 'operator key' : 'admin key',
    tenant,
    id: self?.['id'],
    name: self?.['name'],
    role: self?.['role'],
    project_id: self?.['project_id'],
    expires_at: self?.['expires_at'],
  };
}

async function ownKey(client: Client, path: string, key: string): Promise<Json | null> {
  for await (const item of client.list(path, {}, 10_000))
    if (item['redacted_value'] === `${key.slice(0, key.indexOf('_', 5) + 1)}…${key.slice(-4)}` && !item['revoked_at']) return item;
  return null;
}

export async function showStatus({ client, form }: Session): Promise<void> {
  const { status, text } = await client.send('GET', '/readyz');
  const state = JSON.parse(text) as { status: string; failing?: { part: string; reason: string }[] };
  printItem(
    {
      admin_url: client.profile.admin_url,
      status: state.status,
      ...Object.fromEntries((state.failing ?? []).map(({ part, reason }) => [part, reason])),
    },
    form,
  );
  if (status >= 300) throw new Failure('Weir is not ready', EXIT.unavailable, 'weir doctor');
}
