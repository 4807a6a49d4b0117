import { Injectable } from '@nestjs/common';
import * as oidc from 'openid-client';
import type { Secret } from '../platform/crypto/index.js';
import { Egress, fetchBuffered } from '../platform/egress/index.js';

/** Of an answer's body, and until all of it is there: documents and tokens are small. */
const BOUNDS = { maxBytes: 256 * 1024, totalMs: 10_000 };
const SCOPE = 'openid email profile';

/** How long a provider's document is good for: strangers can begin sign-ins, and must not make Weir ask each time. */
const DOCUMENT_MS = 10 * 60_000;
const MAX_DOCUMENTS = 1_000;

/** A tenant's registration at its identity provider. */
export interface Registration {
  /** Another one for each change. */
  version: string;
  issuer: string;
  clientId: string;
  /** Null: a public client. */
  clientSecret: Secret | null;
}

/** What a sign-in that is under way is checked against when the browser comes back. */
export interface Checks {
  state: string;
  nonce: string;
  verifier: string;
}

/** Speaks OpenID Connect: authorization code with PKCE and nonce, ID tokens with a checked signature, by the one way out. */
@Injectable()
export class OpenIdConnect {
  /** By the version of the registration, the oldest first. */
  private readonly known = new Map<string, { server: Promise<oidc.Configuration>; until: number }>();

  constructor(private readonly egress: Egress) {}

  /** @throws what openid-client or egress throws, when its document cannot be read */
  async check(registration: Omit<Registration, 'version'>): Promise<void> {
    await this.discover(registration);
  }

  /** Where to send the browser, and what to remember until it comes back. @throws as check */
  async begin(registration: Registration, redirectUri: string): Promise<{ url: string; checks: Checks }> {
    const server = await this.serverOf(registration);
    const checks = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
    const url = oidc.buildAuthorizationUrl(server, {
      redirect_uri: redirectUri,
      scope: SCOPE,
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, checks };
  }

  /** What the provider says of the person, in its ID token and at its userinfo endpoint. @param url the one the browser came back to. @throws as check */
  async finish(registration: Registration, url: URL, { state, nonce, verifier }: Checks): Promise<Record<string, unknown>> {
    const server = await this.serverOf(registration);
    const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
    const tokens = await oidc.authorizationCodeGrant(server, url, checks);
    const claims = tokens.claims()!;
    if (!server.serverMetadata().userinfo_endpoint) return claims;
    // Some providers put groups and addresses here only.
    return { ...(await oidc.fetchUserInfo(server, tokens.access_token, claims.sub)), ...claims };
  }

  private serverOf(registration: Registration): Promise<oidc.Configuration> {
    const { version } = registration;
    const known = this.known.get(version);
    if (known && known.until > performance.now()) return known.server;
    const server = this.discover(registration);
    this.known.delete(version);
    this.known.set(version, { server, until: performance.now() + DOCUMENT_MS });
    if (this.known.size > MAX_DOCUMENTS) this.known.delete(this.known.keys().next().value!);
    server.catch(() => this.known.delete(version));
    return server;
  }

  private discover({ issuer, clientId, clientSecret }: Omit<Registration, 'version'>): Promise<oidc.Configuration> {
    const url = new URL(issuer);
    // What may be plain HTTP is the deployment's to say, and egress asks it.
    const execute = [oidc.enableNonRepudiationChecks, ...(url.protocol === 'http:' ? [oidc.allowInsecureRequests] : [])];
    const authentication = clientSecret ? oidc.ClientSecretBasic(clientSecret.reveal()) : oidc.None();
    return oidc.discovery(url, clientId, undefined, authentication, {
      execute,
      [oidc.customFetch]: (at, request) => this.fetch(at, request),
    });
  }

  private async fetch(at: string, { method, headers, body }: oidc.CustomFetchOptions): Promise<Response> {
    const { origin, pathname, search } = new URL(at);
    const lines = Object.entries({ ...headers, 'accept-encoding': 'identity' }).flat();
    const request = {
      ...(method === 'GET' && { method: 'GET' as const }),
      origin,
      path: pathname + search,
      headers: lines,
      body: String(body ?? ''),
    };
    const answer = await fetchBuffered(this.egress, request, BOUNDS);
    const contentType = answer.headers['content-type'];
    return new Response(new Uint8Array(answer.body), {
      status: answer.status,
      headers: typeof contentType === 'string' ? { 'content-type': contentType } : {},
    });
  }
}
