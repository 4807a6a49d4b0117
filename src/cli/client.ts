import { EXIT, exitOf, Failure } from './failure.js';
import type { Profile } from './settings.js';

export type Json = Readonly<Record<string, unknown>>;
export type Query = Readonly<Record<string, unknown>>;

const PAGE = 100;
const TIMEOUT_MS = 120_000;
/** What an answer may weigh: a page of calls is far below. */
const MAX_BYTES = 64 << 20;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The admin REST of one Weir, as one person or key. */
export class Client {
  constructor(readonly profile: Profile) {}

  /** @throws Failure that says what Weir refused and why. */
  async request(method: string, path: string, { body, query = {} }: { body?: unknown; query?: Query } = {}): Promise<Json> {
    const answer = await this.send(method, withQuery(path, query), body);
    const parsed = parse(answer);
    if (answer.status < 300) return parsed;
    throw this.refusal(answer.status, parsed['error'] as Json | undefined);
  }

  /** Items of a list, page by page. */
  async *list(path: string, query: Query, limit: number): AsyncGenerator<Json, { hasMore: boolean }> {
    let after: unknown;
    for (let left = limit; left > 0; ) {
      const page = await this.request('GET', path, { query: { ...query, limit: Math.min(left, PAGE), after } });
      const items = page['data'] as Json[];
      yield* items;
      left -= items.length;
      if (!page['has_more'] || items.length === 0) return { hasMore: false };
      after = page['last_id'];
    }
    return { hasMore: true };
  }

  /** Whatever it answers. @throws Failure when nothing does. */
  async send(method: string, path: string, body?: unknown): Promise<Answer> {
    const { admin_url, admin_key, session, tenant } = this.profile;
    const headers = {
      ...(admin_key !== undefined && { authorization: `Bearer ${admin_key}` }),
      // A session may write only from a page of its own address: that is what this is for.
      ...(admin_key === undefined && session !== undefined && { cookie: session, origin: admin_url }),
      ...(tenant !== undefined && { 'x-weir-tenant': tenant }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    try {
      const response = await fetch(admin_url + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        redirect: 'manual', // a key goes nowhere else
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return { status: response.status, headers: response.headers, text: await textOf(response) };
    } catch (error) {
      throw this.unreachable(error as Error);
    }
  }

  private unreachable(error: Error): Failure {
    if (error instanceof Failure) return error;
    const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
    const why = error.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1_000} s` : (code ?? message);
    if (error.name === 'TypeError' && error.cause === undefined)
      return new Failure(`${this.profile.admin_url} is no address that can be called: ${message}`, EXIT.usage, 'weir --help');
    return new Failure(`Weir cannot be reached at ${this.profile.admin_url} (${why})`, EXIT.unavailable, 'weir doctor');
  }

  private refusal(status: number, error: Json | undefined): Failure {
    const code = String(error?.['code'] ?? `status ${status}`);
    const message = String(error?.['message'] ?? `${this.profile.admin_url} answered with status ${status}`);
    const exit = exitOf(status, code);
    return new Failure(`${message} (${code})`, exit, this.nextAfter(exit, code), error ?? null);
  }

  private nextAfter(exit: number, code: string): string | null {
    const hasKey = this.profile.admin_key !== undefined || this.profile.session !== undefined;
    if (code === 'invalid_admin_key' && !hasKey) return 'weir login';
    if (exit === EXIT.auth) return 'weir whoami';
    if (exit === EXIT.unavailable) return 'weir doctor';
    return null;
  }
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)]))).toString();
  return search === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${search}`;
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > MAX_BYTES) throw new Failure(`the answer is larger than ${MAX_BYTES >> 20} MiB`, EXIT.error);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse({ status, text }: Answer): Json {
  try {
    const parsed: unknown = JSON.parse(text === '' ? '{}' : text);
    if (parsed instanceof Object) return parsed as Json;
  } catch {}
  if (status >= 400) return {};
  throw new Failure(`the answer is no JSON, so this is not the admin API of Weir (status ${status})`, EXIT.error, 'weir doctor');
}
