import type { Random } from './random.js';

/** What somebody could give as a base URL to get inside. */
export interface ForbiddenUrl {
  text: string;
  /** It is refused as it is written. False: it may be a name, and is refused where it leads to. */
  atSave: boolean;
}

/** Networks that are not public: first address, and how many bits of it are fixed. */
const NETWORKS: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const NOTED = ['127.0.0.1', '169.254.169.254', '169.254.170.2', '168.63.129.16', '100.100.100.200', '192.0.0.192', '10.0.0.1', '0.0.0.0'];

const IPV6 = [
  '::',
  '::1',
  '0:0:0:0:0:0:0:1',
  'fe80::1',
  'fec0::1',
  'fc00::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  'ff02::1',
  '100::1',
  '2001:db8::1',
  '2001:2::1',
  '2001:10::1',
  '3fff::1',
  '5f00::1',
  '64:ff9b:1::1',
  '4000::1',
  '1::1',
];

const METADATA_NAMES = ['metadata', 'metadata.google.internal', 'metadata.goog', 'instance-data.ec2.internal', 'metadata.tencentyun.com'];
const LOCAL_NAMES = [
  'localhost',
  'app.localhost',
  'printer.local',
  'postgres',
  'redis',
  'db.internal',
  'router.home.arpa',
  'api.default.svc.cluster.local',
];
const SCHEMES = ['file', 'gopher', 'ftp', 'data', 'javascript', 'unix', 'http+unix', 'ws', 'wss', 'ldap', 'dict', 'mock', 'blob', 'jar'];
const OWN_PORTS = [22, 25, 53, 80, 5432, 6379, 8080, 8081, 8443, 9200];

/** Every spelling of every forbidden address in every disguise, the same for the same seed. */
export function forbiddenUrls(random: Random, perNetwork: number): ForbiddenUrl[] {
  const addresses = [
    ...NOTED,
    ...NETWORKS.flatMap(([first, bits]) => Array.from({ length: perNetwork }, () => within(random, first, bits))),
  ];
  const hosts = addresses.flatMap((address) => [...ipv4Spellings(address), ...ipv6Spellings(address)]);
  return [
    ...hosts.flatMap((host) => disguises(random, host)),
    ...IPV6.flatMap((address) => disguises(random, `[${address}]`)),
    ...[...METADATA_NAMES, ...LOCAL_NAMES]
      .flatMap((name) => [name, `${name}.`, name.toUpperCase()])
      .flatMap((name) => disguises(random, name)),
    ...SCHEMES.flatMap((scheme) => schemes(scheme)),
    ...names(random),
  ];
}

function within(random: Random, first: string, bits: number): string {
  const free = 2 ** (32 - bits);
  return dotted(numberOf(first) + random.int(0, free - 1));
}

const numberOf = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

/** As inet_aton reads them: any part in any base, the last one taking what is left. */
function ipv4Spellings(address: string): string[] {
  const value = numberOf(address);
  const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
  const hex = (part: number) => `0x${part.toString(16)}`;
  const octal = (part: number) => `0${part.toString(8)}`;
  return [
    address,
    `${value}`,
    hex(value),
    `0x0000${value.toString(16)}`,
    octal(value),
    [a, b, c, d].map(hex).join('.'),
    [a, b, c, d].map(octal).join('.'),
    [a, b, c, d].map((part) => `0000${part.toString(8)}`).join('.'),
    `${hex(a)}.${b}.${octal(c)}.${d}`,
    `${a}.${b}.${c * 256 + d}`,
    `${a}.${(b * 256 + c) * 256 + d}`,
    `${hex(a)}.${hex((b * 256 + c) * 256 + d)}`,
    fullWidth(address),
    address.replaceAll('.', '。'),
    address.replaceAll('.', '．'),
    address.replaceAll('.', '｡'),
    circled(address),
    `${address}.`,
    address.replaceAll('.', '%2e'),
    [...address].map((sign) => `%${sign.charCodeAt(0).toString(16)}`).join(''),
  ];
}

const fullWidth = (text: string): string => text.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)));
const circled = (text: string): string => text.replace(/[1-9]/g, (digit) => String.fromCharCode(0x2460 + Number(digit) - 1));

function ipv6Spellings(address: string): string[] {
  const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
  const pair = (high: number, low: number) => (high * 256 + low).toString(16);
  const tail = `${pair(a, b)}:${pair(c, d)}`;
  const inverted = `${pair(255 - a, 255 - b)}:${pair(255 - c, 255 - d)}`;
  return [
    `::ffff:${address}`,
    `::ffff:${tail}`,
    `0:0:0:0:0:ffff:${tail}`,
    `::${address}`,
    `::ffff:0:${address}`,
    `64:ff9b::${tail}`,
    `64:ff9b::${address}`,
    `64:ff9b:1::${tail}`,
    `2002:${tail}::`,
    `2002:${tail}::1`,
    `2001:0:${tail}::${inverted}`,
    `2001::${inverted}`,
    `fe80::5efe:${address}`,
  ].map((form) => `[${form}]`);
}

function disguises(random: Random, host: string): ForbiddenUrl[] {
  const path = random.pick(['', '/', '/v1', '/latest/meta-data/', '/v1/../..', '//v1']);
  const outer = random.pick(['api.openai.com', 'api.anthropic.com', 'provider.example']);
  const refused = [
    `https://${host}${path}`,
    `http://${host}${path}`,
    `HTTPS://${host}:443${path}`,
    `https://${host}:${random.pick(OWN_PORTS)}${path}`,
    `https://user:password@${host}${path}`,
    `https://${outer}@${host}${path}`,
    `https://${outer}:443@${host}${path}`,
    `https://${outer}%00@${host}${path}`,
    `https://${outer}\\@${host}${path}`,
    `https://${host}\\@${outer}${path}`,
    `https:\\\\${host}${path}`,
    `https:${host}${path}`,
    `https:/${host}${path}`,
    `https:///${host}${path}`,
    `\thttps://${host}${path}`,
    `ht\ntps://${host}${path}`,
    `https://${host.slice(0, 1)}\t${host.slice(1)}${path}`,
    `https://${host}\r\n${path}`,
    `https://${host}/?@${outer}`,
    `https://${host}/#@${outer}`,
    `https://${outer}#@${host}/`,
    `https://${outer}?@${host}/`,
    `https://${host} .${outer}/`,
  ];
  return refused.map((text) => ({ text, atSave: true }));
}

const schemes = (scheme: string): ForbiddenUrl[] =>
  ['127.0.0.1', 'api.openai.com', '/var/run/docker.sock', '[::1]', ''].flatMap((rest) =>
    [`${scheme}://${rest}`, `${scheme}:${rest}`, `${scheme}:///${rest}`].map((text) => ({ text, atSave: true })),
  );

/** Names that look public. Where the tests resolve names, all of them lead inside. */
function names(random: Random): ForbiddenUrl[] {
  const outer = ['nip.io', 'sslip.io', 'localtest.me', 'lvh.me', 'rebind.network', 'provider.example'];
  return Array.from({ length: 500 }, (_, i) => {
    const address = within(random, ...random.pick(NETWORKS));
    return { text: `https://${random.pick([address, address.replaceAll('.', '-'), `r${i}`])}.${random.pick(outer)}/v1`, atSave: false };
  });
}
