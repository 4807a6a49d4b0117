import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Networks that addresses lie in, or not. */
export class Networks {
  private readonly networks: Network[];

  /** @param networks addresses or networks, e.g. `10.0.0.0/8`. @throws when one is not valid */
  constructor(networks: readonly string[]) {
    this.networks = networks.map(parseNetwork);
  }

  /** @param address absent: a Unix socket has none. */
  hold = (address: string | undefined): boolean => {
    const parsed = address === undefined ? null : parse(address);
    return parsed !== null && this.networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
  };
}

const parseNetwork = (text: string): Network =>
  text.includes('/') ? ipaddr.parseCIDR(text) : [ipaddr.parse(text), lengthOf(ipaddr.parse(text))];

/** Whether all addresses of a network lie in another one. */
export function liesWithin(inner: string, outer: string): boolean {
  const [[a, aBits], [b, bBits]] = [parseNetwork(inner), parseNetwork(outer)];
  return aBits >= bBits && networksOverlap([a, aBits], [b, bBits]);
}

/** A network as it is looked up; an address is a network of one. Bits after the prefix are cleared. Null: neither, or IPv4 in the form of IPv6. */
export function canonicalNetwork(text: string): string | null {
  const [address = '', prefix] = text.split('/');
  if (!(isIPv4(address) || isIPv6(address)) || address.includes('%')) return null;
  const parsed = ipaddr.parse(address);
  if (parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).isIPv4MappedAddress()) return null;
  if (prefix === undefined) return networkAround(parsed, lengthOf(parsed));
  return ipaddr.isValidCIDR(text) ? networkAround(parsed, Number(prefix)) : null;
}

/** The networks with prefixes of these lengths that an address lies in, the smallest first. */
export function networksAround(address: string, lengths: ReadonlySet<number>): string[] {
  const parsed = parse(address);
  if (parsed === null) return [];
  const possible = [...lengths].filter((bits) => bits <= lengthOf(parsed)).sort((a, b) => b - a);
  return possible.map((bits) => networkAround(parsed, bits));
}

/** Whether a network holds addresses of the machine itself. */
export const holdsLoopback = (network: string): boolean =>
  ['127.0.0.0/8', '::1/128'].some((loopback) => networksOverlap(ipaddr.parseCIDR(network), ipaddr.parseCIDR(loopback)));

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

const networksOverlap = ([a, aBits]: Network, [b, bBits]: Network): boolean => a.kind() === b.kind() && a.match(b, Math.min(aBits, bBits));

function networkAround(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): string {
  const bytes = address.toByteArray().map((byte, at) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * at))));
  return `${ipaddr.fromByteArray(bytes).toString()}/${bits}`;
}

const lengthOf = (address: ipaddr.IPv4 | ipaddr.IPv6): number => (address.kind() === 'ipv4' ? 32 : 128);

const IPV6_PARTS_OF_A_CUSTOMER = 4;

/** What requests are counted by: an IPv4 address, or the /64 of an IPv6 address, since one customer has a whole one. */
export function networkOf(address: string): string {
  const parsed = parse(address);
  if (parsed === null) return 'unknown';
  return parsed.kind() === 'ipv4' ? parsed.toString() : (parsed as ipaddr.IPv6).parts.slice(0, IPV6_PARTS_OF_A_CUSTOMER).join(':');
}

/** Some proxies write the port too. An IPv4 address may come as IPv6. Null: not an address. */
function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const bare = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/.exec(address);
  const text = bare ? (bare[1] ?? bare[2]!) : address;
  return ipaddr.isValid(text) ? ipaddr.process(text) : null;
}

/** Whether an address means the machine it is used on. */
export const isThisMachine = (address: string): boolean => parse(address)?.range() === 'loopback';
