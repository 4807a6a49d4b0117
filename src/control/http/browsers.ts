import { Inject, Injectable } from '@nestjs/common';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { WeirError } from '../../kernel/errors.js';
import { CONFIG, type Config } from '../../platform/config/index.js';
import { isThisMachine } from '../../platform/listener/index.js';

/** `session`: who is signed in. `device`: that somebody was. `sso`: a sign-in that is under way at an identity provider. */
type CookieName = 'session' | 'device' | 'sso';

const NAMES: Readonly<Record<CookieName, string>> = { session: 'weir', device: 'weir-device', sso: 'weir-sso' };
/** Absent: until the browser is closed; a session ends before. */
const MAX_AGE_SECONDS: Readonly<Partial<Record<CookieName, number>>> = { device: 365 * 86_400, sso: 600 };

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/;
/** Absent: no browser, or an old one. `none`: a person typed the address or chose a bookmark. */
const OWN_SITES: readonly (string | string[] | undefined)[] = [undefined, 'same-origin', 'none'];
const READS: readonly string[] = ['GET', 'HEAD'];

/** What browsers need beside an API: cookies, and a check that a request is from a page of this installation. */
@Injectable()
export class Browsers {
  private readonly url: URL | null;
  /** Of this machine, as the start prints it: cookies belong to one name. */
  private readonly host: string;

  constructor(@Inject(CONFIG) { admin }: Config) {
    this.url = admin.url;
    this.host = admin.host === '127.0.0.1' ? admin.host : 'localhost';
  }

  /** Where browsers find the admin API. @param request one that came to it. */
  baseUrl(request: FastifyRequest): string {
    return this.url?.origin ?? `http://${this.host}:${request.socket.localPort}`;
  }

  /** Null: the browser sent none, or sent it over a way that it must not go. */
  cookie(request: FastifyRequest, name: CookieName): string | null {
    const { cookie } = request.headers;
    if (cookie === undefined || !this.isSafe(request)) return null;
    return parseCookie(cookie)[this.nameOf(name)] ?? null;
  }

  /** @param value null: removes it. @throws WeirError https_required */
  setCookie(request: FastifyRequest, reply: FastifyReply, name: CookieName, value: string | null): void {
    if (!this.isSafe(request)) throw new WeirError('https_required');
    const maxAge = value === null ? 0 : MAX_AGE_SECONDS[name];
    const attributes = {
      path: '/',
      httpOnly: true,
      secure: this.isSecure,
      sameSite: 'lax',
      ...(maxAge !== undefined && { maxAge }),
    } as const;
    reply.header('set-cookie', stringifySetCookie({ name: this.nameOf(name), value: value ?? '', ...attributes }));
  }

  /**
   * Refuses what another site has a browser send with its cookies: everything but reads must say that it is from a page of this installation.
   * @throws WeirError cross_site_request
   */
  assertOwnPage(request: FastifyRequest): void {
    if (READS.includes(request.method)) return;
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (origin === undefined && site === undefined) throw new WeirError('cross_site_request');
    this.assertNotElsewhere(request);
  }

  /** The same for what signs in: programs, which say nothing, may. @throws WeirError cross_site_request, https_required */
  assertMaySignIn(request: FastifyRequest): void {
    if (!this.isSafe(request)) throw new WeirError('https_required');
    this.assertNotElsewhere(request);
  }

  private assertNotElsewhere(request: FastifyRequest): void {
    const { origin, 'sec-fetch-site': site } = request.headers;
    const isOwn = OWN_SITES.includes(site) && (origin === undefined || this.isOwnOrigin(origin, request));
    if (!isOwn) throw new WeirError('cross_site_request');
  }

  /** Decided by what is configured, or by the machine itself: never by Host or a forwarded header. */
  private isOwnOrigin(origin: string, request: FastifyRequest): boolean {
    if (!URL.canParse(origin)) return false;
    const { protocol, hostname, port } = new URL(origin);
    if (this.url) return origin === this.url.origin;
    return protocol === 'http:' && LOOPBACK.test(hostname) && Number(port || 80) === request.socket.localPort;
  }

  private get isSecure(): boolean {
    return this.url?.protocol === 'https:';
  }

  /** Without HTTPS a session stays on this machine. */
  private isSafe(request: FastifyRequest): boolean {
    return this.isSecure || isThisMachine(request.ip);
  }

  /** Browsers take a name with this prefix only if nobody beside the host itself can set it. */
  private nameOf(name: CookieName): string {
    return this.isSecure ? `__Host-${NAMES[name]}` : NAMES[name];
  }
}
