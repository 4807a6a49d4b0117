import ipaddr from 'ipaddr.js';

/** Networks whose `X-Forwarded-For` is believed. */
export class TrustedProxies {
  private readonly networks: [ipaddr.IPv4 | ipaddr.IPv6, number][];

  /** @param networks addresses or networks, e.g. `10.0.0.0/8`. @throws when one is not valid */
  constructor(networks: readonly string[]) {
    this.networks = networks.map((network) =>
      network.includes('/') ? ipaddr.parseCIDR(network) : [ipaddr.parse(network), ipaddr.parse(network).kind() === 'ipv6' ? 128 : 32],
    );
  }

  trusts = (address: string): boolean => {
    const parsed = parse(address);
    return parsed !== null && this.networks.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits));
  };
}

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
