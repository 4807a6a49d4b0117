import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { checkedLookup, type Lookup, resolveAll } from './lookup.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Where clouds tell a machine its own secrets, beside the link-local addresses: Azure, Alibaba, Oracle, AWS and Google by IPv6. */
const METADATA = new Set(['168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254'].map(normalized));

/** Never an endpoint, whatever the deployment allows. The last four hide an IPv4 address in an IPv6 one. */
const NEVER_RANGES = new Set(['unspecified', 'broadcast', 'multicast', 'linkLocal', 'rfc6052', 'rfc6145', '6to4', 'teredo']);

/** All of global unicast (IANA); the library takes any other unassigned address for unicast as well. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

const METADATA_NAME =
  /^(metadata|metadata\.google\.internal|metadata\.goog|instance-data|instance-data\.ec2\.internal|metadata\.tencentyun\.com)$/;
/** Names that no public server has: RFC 6761, 6762, 7686, 8375 and ICANN's `.internal`. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|home\.arpa|onion)$/;

/** The destination is not one calls may go to. The message says why and how to allow it, and never what was found there. */
export class DestinationRefused extends Error {}

/** What egress asks before it connects. */
export type Guard = Pick<DestinationGuard, 'checkUrl' | 'checkAddress' | 'lookupFor'>;

/**
 * Where calls may go: https on port 443 to public addresses, and what the deployment allows: `host:port`, or `network/bits:port`. Checked when
 * a URL is saved, when its name is resolved and on the connected socket, because a name can point elsewhere each time it is asked.
 */
export class DestinationGuard {
  private allowed!: ReadonlySet<string>;
  private networks!: readonly { range: [Address, number]; port: number }[];

  /** @throws when a network cannot be read. */
  constructor(
    allowed: Iterable<string>,
    private readonly lookup: Lookup = resolveAll,
  ) {
    this.allow(allowed);
  }

  /** Takes the place of what was allowed before, for connections that are made from now on. @throws when a network cannot be read. */
  allow(allowed: Iterable<string>): void {
    const entries = [...allowed];
    this.allowed = new Set(entries.filter((entry) => !entry.includes('/')));
    this.networks = entries.filter((entry) => entry.includes('/')).map(networkOf);
  }

  /** Reads a base URL as somebody wrote it. @throws DestinationRefused */
  parse(text: string): URL {
    if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s\\/\p{Cc}][^\s\\\p{Cc}]*$/iu.test(text) || !URL.canParse(text))
      throw new DestinationRefused('Use an address such as https://api.example.com/v1.');
    const url = new URL(text);
    this.checkUrl(url);
    return url;
  }

  /** Checks a base URL by itself. @throws DestinationRefused */
  checkUrl(url: URL): void {
    const port = portOf(url);
    const host = unbracketed(url.hostname);
    const literal = isIP(host) ? ipaddr.process(host) : null;
    if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new DestinationRefused('Use an https:// address.');
    if (url.username || url.password) throw new DestinationRefused('The address must not carry a user name or password.');
    if (/[?#]/.test(url.href)) throw new DestinationRefused('The address must not carry a query or a fragment.');
    if (METADATA_NAME.test(host.replace(/\.$/, '')) || (literal && isNever(literal)))
      throw new DestinationRefused('The address is not a public one.');
    if (!this.isAllowed(url) && !this.mayBeInNetwork(literal, port)) {
      const allow = `or have the deployment allow ${url.hostname}:${port} in WEIR_EGRESS_ALLOW.`;
      if (url.protocol !== 'https:') throw new DestinationRefused(`Use https://, ${allow}`);
      if (port !== 443) throw new DestinationRefused(`Use port 443, ${allow}`);
    }
    if (literal) this.checkAddress(host, url);
    else if (!this.isAllowed(url) && (!/\.[^.]+$/.test(host) || LOCAL_NAME.test(host)))
      throw new DestinationRefused(`${host} is not a public host name.`);
  }

  /** @throws DestinationRefused unless calls to this origin may go to this address. */
  checkAddress(address: string, origin: URL): void {
    if (!ipaddr.isValid(address) || !this.mayReach(ipaddr.process(address), origin))
      throw new DestinationRefused('The address is not a public one.');
  }

  /** A lookup for sockets to one origin: refuses a name if calls may not go to any one of its addresses. */
  lookupFor(origin: URL): LookupFunction {
    return checkedLookup(this.lookup, (address) => this.checkAddress(address, origin));
  }

  /** All addresses of an origin, at least one. @throws DestinationRefused if calls may not go to any one of them, or the resolver's error. */
  addressesOf(origin: URL): Promise<string[]> {
    const host = unbracketed(origin.hostname);
    return new Promise((resolve, reject) => {
      if (isIP(host)) {
        this.checkAddress(host, origin);
        return resolve([host]);
      }
      this.lookupFor(origin)(host, { all: true }, (error, addresses) => {
        if (error) reject(error);
        else resolve((addresses as LookupAddress[]).map(({ address }) => address));
      });
    });
  }

  private mayReach(address: Address, origin: URL): boolean {
    if (isNever(address)) return false;
    if (this.isAllowed(origin) || this.isInNetwork(address, portOf(origin))) return true;
    return origin.protocol === 'https:' && portOf(origin) === 443 && isPublic(address);
  }

  /** Whether the deployment allows this very host and port. */
  isAllowed(origin: URL): boolean {
    return this.allowed.has(`${origin.hostname.toLowerCase()}:${portOf(origin)}`);
  }

  /** Where a name leads is seen when it is resolved. */
  private mayBeInNetwork(literal: Address | null, port: number): boolean {
    return literal ? this.isInNetwork(literal, port) : this.networks.some((network) => network.port === port);
  }

  /** A network, however wide, does not hold this machine itself. */
  private isInNetwork(address: Address, port: number): boolean {
    if (address.range() === 'loopback') return false;
    return this.networks.some(({ range, port: open }) => open === port && address.kind() === range[0].kind() && address.match(range));
  }
}

const isNever = (address: Address): boolean => NEVER_RANGES.has(address.range()) || METADATA.has(address.toNormalizedString());

export const isPublic = (address: Address): boolean =>
  address.range() === 'unicast' && (address.kind() === 'ipv4' || address.match(GLOBAL_IPV6));

const portOf = (url: URL): number => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

export const unbracketed = (hostname: string): string => (hostname.startsWith('[') ? hostname.slice(1, -1) : hostname);

/** `10.8.0.0/16:443`, `[fd12::]/16:443` */
function networkOf(entry: string): { range: [Address, number]; port: number } {
  const at = entry.lastIndexOf(':');
  return { range: ipaddr.parseCIDR(entry.slice(0, at).replace(/[[\]]/g, '')), port: Number(entry.slice(at + 1)) };
}

export function normalized(address: string): string {
  return ipaddr.process(address).toNormalizedString();
}
