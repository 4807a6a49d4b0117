import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Unicast by the registries, but never a provider: Azure's host agent. */
const NEVER = new Set(['168.63.129.16']);

/** The destination is not one calls may go to. The message says why and how to allow it, and never what was found there. */
export class DestinationRefused extends Error {}

export type Lookup = (hostname: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void;

const resolveAll: Lookup = (hostname, done) => systemLookup(hostname, { all: true }, (error, addresses) => done(error, addresses));

/**
 * Where calls may go: https on port 443 to public addresses, and exactly the `host:port` pairs the deployment allows. Checked when a URL is
 * saved, when its name is resolved and on the connected socket, because a name can point elsewhere each time it is asked.
 */
export class DestinationGuard {
  constructor(
    private readonly allowed: ReadonlySet<string>,
    private readonly lookup: Lookup = resolveAll,
  ) {}

  /** Checks a base URL by itself. @throws DestinationRefused */
  checkUrl(url: URL): void {
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new DestinationRefused('Use an https:// address.');
    if (url.username || url.password) throw new DestinationRefused('The address must not carry a user name or password.');
    if (url.hash || url.search) throw new DestinationRefused('The address must not carry a query or a fragment.');
    if (this.isAllowed(url.hostname, portOf(url))) return;
    if (url.protocol !== 'https:')
      throw new DestinationRefused(`Use https://, or have the deployment allow ${url.hostname}:${portOf(url)} in WEIR_EGRESS_ALLOW.`);
    if (portOf(url) !== 443)
      throw new DestinationRefused(`Use port 443, or have the deployment allow ${url.hostname}:${portOf(url)} in WEIR_EGRESS_ALLOW.`);
    const literal = unbracketed(url.hostname);
    if (isIP(literal)) this.checkAddress(literal);
    else if (!literal.includes('.')) throw new DestinationRefused(`${literal} is not a public host name.`);
  }

  isAllowed(hostname: string, port: number): boolean {
    return this.allowed.has(`${hostname.toLowerCase()}:${port}`);
  }

  /** @throws DestinationRefused unless the address is public. */
  checkAddress(address: string): void {
    const parsed = ipaddr.process(address);
    if (parsed.range() !== 'unicast' || NEVER.has(parsed.toString())) throw new DestinationRefused('The address is not a public one.');
  }

  /** A lookup for sockets to one origin: refuses a name if any of its addresses is not public. */
  lookupFor(origin: URL): LookupFunction {
    const allowed = this.isAllowed(origin.hostname, portOf(origin));
    return (hostname, options, done) => {
      this.lookup(hostname, (error, addresses) => {
        if (error) return done(error, []);
        try {
          if (!allowed) for (const { address } of addresses) this.checkAddress(address);
        } catch (refusal) {
          return done(refusal as Error, []);
        }
        if (options.all) return done(null, addresses);
        done(null, addresses[0]!.address, addresses[0]!.family);
      });
    };
  }
}

export const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

const unbracketed = (hostname: string): string => (hostname.startsWith('[') ? hostname.slice(1, -1) : hostname);
