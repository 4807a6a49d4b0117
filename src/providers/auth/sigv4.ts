import { createHash, createHmac } from 'node:crypto';

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** AWS keys: a user's own, or those of a session. */
export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | null;
}

/** What a signature is good for. */
export interface AwsScope {
  region: string;
  service: string;
}

/** A request as it will be written. */
export interface Signable {
  method: string;
  /** With its query, as it stands on the wire. */
  path: string;
  /** Names and values in turn: those to be signed, `host` among them. */
  headers: readonly string[];
  body: string;
}

/**
 * The headers that sign a request by AWS Signature Version 4. The path is encoded once more than it is on the wire, as all services but S3
 * have it; dots and doubled slashes in it are taken as they stand.
 */
export function signAws(request: Signable, keys: AwsKeys, { region, service }: AwsScope, at: Date): string[] {
  const time = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const added = ['x-amz-date', time, ...(keys.sessionToken === null ? [] : ['x-amz-security-token', keys.sessionToken])];
  const { lines, names } = canonicalHeaders([...request.headers, ...added]);
  const [path = '', query = ''] = split(request.path);
  const canonical = [request.method, canonicalPath(path), canonicalQuery(query), ...lines, '', names, sha256(request.body)].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const key = [day, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${keys.secretAccessKey}`));
  const signature = hmac(key, [ALGORITHM, time, scope, sha256(canonical)].join('\n')).toString('hex');
  const authorization = `${ALGORITHM} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return [...added, 'authorization', authorization];
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

function split(path: string): [string, string] {
  const mark = path.indexOf('?');
  return mark === -1 ? [path, ''] : [path.slice(0, mark), path.slice(mark + 1)];
}

/** By RFC 3986: everything but unreserved characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

const canonicalPath = (path: string): string => path.split('/').map(encode).join('/') || '/';

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((part) => {
    const [name, value = ''] = part.split(/=(.*)/s);
    return [encode(decodeURIComponent(name!)), encode(decodeURIComponent(value))] as const;
  });
  return pairs
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map((pair) => pair.join('='))
    .join('&');
}

/** Sorted by name; several of one name are one line, their values in order. */
function canonicalHeaders(headers: readonly string[]): { lines: string[]; names: string } {
  const byName = new Map<string, string[]>();
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    byName.set(name, [...(byName.get(name) ?? []), headers[at + 1]!.trim().replace(/ +/g, ' ')]);
  }
  const sorted = [...byName].sort(([a], [b]) => compare(a, b));
  return { lines: sorted.map(([name, values]) => `${name}:${values.join(',')}`), names: sorted.map(([name]) => name).join(';') };
}

/** By code unit; what is compared is ASCII. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
