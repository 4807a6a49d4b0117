import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { DestinationRefused, type Guard, isPublic, normalized, unbracketed } from './destination.js';
import { checkedLookup, type Lookup, resolveAll } from './lookup.js';

/**
 * A guard that lets pass a few origins, each named by the deployment, wherever they are: the metadata service of a cloud, which no other guard
 * lets pass, may be one. An egress with this guard is for those whose addresses no request has a say in.
 */
export class NamedDestinations implements Guard {
  private readonly origins: ReadonlySet<string>;

  /** @param origins as `URL.origin` writes them. */
  constructor(
    origins: Iterable<string>,
    private readonly lookup: Lookup = resolveAll,
  ) {
    this.origins = new Set(origins);
  }

  checkUrl(url: URL): void {
    if (!this.origins.has(url.origin)) throw new DestinationRefused('The deployment does not name this address.');
  }

  checkAddress(address: string, origin: URL): void {
    this.checkUrl(origin);
    if (!ipaddr.isValid(address) || !mayBe(address, origin)) throw new DestinationRefused('The address is not the one that is named.');
  }

  lookupFor(origin: URL): LookupFunction {
    return checkedLookup(this.lookup, (address) => this.checkAddress(address, origin));
  }
}

/** Without TLS nothing proves who answers, so what goes by plain HTTP stays inside. */
function mayBe(address: string, { hostname, protocol }: URL): boolean {
  const host = unbracketed(hostname);
  if (isIP(host) && normalized(address) !== normalized(host)) return false;
  return protocol === 'https:' || !isPublic(ipaddr.process(address));
}
