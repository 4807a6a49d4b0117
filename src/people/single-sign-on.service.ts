import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { type Id, publicId } from '../kernel/ids.js';
import { ROLES, type Role } from '../kernel/permissions.js';
import { Keyring, Secret } from '../platform/crypto/index.js';
import { DestinationGuard, DestinationRefused } from '../platform/egress/index.js';
import { ServerClock } from '../platform/postgres/index.js';
import { LOGGER, type Logger } from '../platform/telemetry/index.js';
import type { Proof } from './admin-sessions.service.js';
import { InvitesRepository } from './invites.repository.js';
import { type Checks, OpenIdConnect, type Registration } from './open-id-connect.js';
import { PeopleRepository } from './people.repository.js';
import { emailOf, MAX_EMAIL } from './person.js';
import type { SingleSignOn } from './single-sign-on.js';
import { SingleSignOnRepository } from './single-sign-on.repository.js';

/** How long a person may take at the identity provider. */
const MAX_MS = 10 * 60_000;
const CONTEXT = 'v1|sso-sign-in';
const MAX_NAME = 255;

/** A sign-in that is under way: kept sealed in the browser that began it. */
interface UnderWay extends Checks {
  tenantId: Id;
  returnTo: string;
  startedAt: number;
}

export type SsoSettings = Omit<SingleSignOn, 'version' | 'updatedAt' | 'clientSecret'> & {
  /** Null: a public client. Absent: the one there is. */
  clientSecret?: Secret | null;
};

/** Sign-in through a tenant's identity provider. */
@Injectable()
export class SingleSignOns {
  constructor(
    private readonly repository: SingleSignOnRepository,
    private readonly people: PeopleRepository,
    private readonly invites: InvitesRepository,
    private readonly openId: OpenIdConnect,
    private readonly guard: DestinationGuard,
    private readonly keyring: Keyring,
    private readonly clock: ServerClock,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  find(tenantId: Id): Promise<SingleSignOn | null> {
    return this.repository.find(tenantId);
  }

  /**
   * @param version of what is replaced; null: any.
   * @param verify whether the provider is asked first.
   * @throws WeirError invalid_request, probe_failed, precondition_failed
   */
  async put(settings: SsoSettings, version: number | null, verify: boolean, actor: string): Promise<void> {
    const { tenantId, issuer } = settings;
    this.assertAllowed(issuer);
    const before = await this.repository.find(tenantId);
    // A secret goes to nobody but whom it was given for.
    const kept = before?.issuer === issuer ? before.clientSecret : null;
    const given = settings.clientSecret;
    const clientSecret = given === undefined ? kept : given && (await this.keyring.seal(tenantId, given, contextOf(tenantId, issuer)));
    if (verify) await this.assertAnswers({ ...settings, clientSecret });
    await this.repository.put({ ...settings, clientSecret }, version, actor);
  }

  /** False: there is none. @throws WeirError precondition_failed */
  delete(tenantId: Id, version: number | null, actor: string): Promise<boolean> {
    return this.repository.delete(tenantId, version, actor);
  }

  /** Where to send the browser, and what it must bring back. @throws WeirError not_found, sso_failed */
  async begin(tenantId: Id, redirectUri: string, returnTo: string): Promise<{ url: string; cookie: string }> {
    const sso = await this.repository.findForSignIn(tenantId);
    if (!sso) throw new WeirError('not_found', { message: 'This organization has no single sign-on. Sign in with a password.' });
    const { url, checks } = await this.telling(sso, async () => this.openId.begin(await this.registrationOf(sso), redirectUri));
    const underWay: UnderWay = { ...checks, tenantId, returnTo, startedAt: this.clock.now() };
    const sealed = await this.keyring.seal(null, new Secret(JSON.stringify(underWay)), CONTEXT);
    return { url, cookie: sealed.toString('base64url') };
  }

  /**
   * Who came back. @param cookie what `begin` gave the browser.
   * @throws WeirError sso_failed, sso_not_a_member
   */
  async finish(url: URL, cookie: string | null): Promise<{ proof: Proof; returnTo: string }> {
    const underWay = cookie === null ? null : await this.open(cookie);
    if (!underWay || underWay.startedAt < this.clock.now() - MAX_MS)
      throw new WeirError('sso_failed', {
        message: 'This sign-in was not begun in this browser, or took longer than 10 minutes. Begin again.',
      });
    const sso = await this.repository.findForSignIn(underWay.tenantId);
    if (!sso) throw new WeirError('sso_failed');
    const claims = await this.telling(sso, async () => this.openId.finish(await this.registrationOf(sso), url, underWay));
    // After the provider has confirmed it: strangers add nothing to the database.
    if (!(await this.repository.use(sso.tenantId, underWay.state)))
      throw new WeirError('sso_failed', { message: 'This sign-in was used already. Begin again.' });
    const personId = await this.admit(sso, claims);
    return { proof: { tenantId: sso.tenantId, personId, method: 'sso', confirmed: false }, returnTo: underWay.returnTo };
  }

  /** The person that the claims are about, made or changed as they say. @throws WeirError sso_not_a_member */
  private async admit(sso: SingleSignOn, claims: Record<string, unknown>): Promise<Id> {
    const { tenantId } = sso;
    const subject = `${sso.issuer} ${String(claims['sub'])}`;
    const email = emailIn(claims);
    if (sso.allowedDomains.length > 0 && !(email && sso.allowedDomains.includes(email.slice(email.lastIndexOf('@') + 1))))
      throw new WeirError('sso_not_a_member', { message: 'Your email address is of a domain that this organization does not allow.' });
    const role = roleIn(sso, claims);
    if (sso.roleClaim !== null && role === null)
      throw new WeirError('sso_not_a_member', { message: 'Your identity provider gives you no role in this organization. Ask its admin.' });
    const known = await this.people.findForSso(tenantId, subject, email);
    if (known?.disabledAt) throw new WeirError('sso_not_a_member');
    const actor = `sso:${sso.issuer}`;
    if (known) {
      await this.people.bind(tenantId, known.id, subject, actor);
      // The last owner stays one, whatever the provider says: somebody must be able to change that.
      if (role !== null && role !== known.role)
        await this.people
          .change(tenantId, known.id, { role, ...(!isConfined(role) && { projectId: null }) }, actor, () => {})
          .catch(unlessLastOwner);
      return known.id;
    }
    if (!sso.createsPeople || email === null) throw new WeirError('sso_not_a_member');
    const name = String(claims['name'] ?? email).slice(0, MAX_NAME);
    const fields = {
      tenantId,
      projectId: null,
      email,
      name,
      role: role ?? sso.defaultRole ?? 'viewer',
      password: null,
      subject,
      externalId: null,
    };
    return this.invites.admit(fields, actor);
  }

  private async registrationOf({ tenantId, issuer, clientId, clientSecret, version }: SingleSignOn): Promise<Registration> {
    const secret = clientSecret && (await this.keyring.open(clientSecret, contextOf(tenantId, issuer)));
    return { issuer, clientId, clientSecret: secret, version: `${tenantId} ${version}` };
  }

  /** @throws WeirError invalid_request */
  private assertAllowed(issuer: string): void {
    try {
      this.guard.parse(issuer);
    } catch (error) {
      if (error instanceof DestinationRefused) throw new WeirError('invalid_request', { param: 'issuer', message: error.message });
      throw error;
    }
  }

  /** @throws WeirError probe_failed */
  private async assertAnswers(sso: Omit<SingleSignOn, 'version' | 'updatedAt'>): Promise<void> {
    try {
      await this.openId.check({ issuer: sso.issuer, clientId: sso.clientId, clientSecret: null });
    } catch (cause) {
      const message = `The identity provider's document could not be read: ${sso.issuer.replace(/\/$/, '')}/.well-known/openid-configuration. Check "issuer", or send "verify": false.`;
      throw new WeirError('probe_failed', { message, cause });
    }
  }

  private async telling<T>(sso: SingleSignOn, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // What the provider or the browser sent stays out of the answer: only the log can tell.
      const cause = error instanceof Error ? `${error.name}: ${(error as { code?: string }).code ?? error.message}` : 'unknown';
      this.log.warn({ tenant: publicId('tenant', sso.tenantId), cause }, 'a sign-in through an identity provider failed');
      throw new WeirError('sso_failed', { cause: error });
    }
  }

  private async open(cookie: string): Promise<UnderWay | null> {
    const opened = await this.keyring.open(Buffer.from(cookie, 'base64url'), CONTEXT).catch(() => null);
    return opened && (JSON.parse(opened.reveal()) as UnderWay);
  }
}

const contextOf = (tenantId: Id, issuer: string): string => `v1|${tenantId}|${issuer}|sso-client-secret`;

const isConfined = (role: Role): boolean => role === 'developer' || role === 'viewer';

/** An address that the provider does not doubt. */
function emailIn({ email, email_verified: isVerified }: Record<string, unknown>): string | null {
  if (typeof email !== 'string' || !email.includes('@') || email.length > MAX_EMAIL || isVerified === false || isVerified === 'false')
    return null;
  return emailOf(email);
}

/** The highest role that the claim gives; null: none, or roles are managed here. */
function roleIn({ roleClaim, roles, defaultRole }: SingleSignOn, claims: Record<string, unknown>): Role | null {
  if (roleClaim === null) return null;
  const values = [claims[roleClaim]].flat();
  const given = new Set(values.flatMap((value) => (typeof value === 'string' && Object.hasOwn(roles, value) ? [roles[value]!] : [])));
  return ROLES.find((role) => given.has(role)) ?? defaultRole;
}

function unlessLastOwner(error: unknown): void {
  if (!(error instanceof WeirError && error.code === 'last_owner')) throw error;
}
