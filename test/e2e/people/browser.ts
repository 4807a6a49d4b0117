import type { TestWeir } from '../../support/weir.js';

export interface Reply<Body = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: Body;
}

/** What specs read of replies. */
// biome-ignore lint/suspicious/noExplicitAny: replies of every kind
type Any = any;

/** A browser on the machine of Weir: it keeps cookies, and says which page a request is from. */
export class Browser {
  readonly cookies = new Map<string, string>();

  constructor(
    private readonly weir: Pick<TestWeir, 'adminUrl'>,
    private readonly address = '127.0.0.1',
  ) {}

  /** @param headers null takes one away that it would send. */
  async send(method: string, path: string, body?: unknown, headers: Record<string, string | null> = {}): Promise<Reply<Any>> {
    const url = new URL(path, this.weir.adminUrl);
    const all: Record<string, string | null> = {
      ...(this.cookies.size > 0 && { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
      ...(method !== 'GET' && { origin: this.weir.adminUrl, 'sec-fetch-site': 'same-origin' }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      'user-agent': 'Browser/1.0',
      'x-forwarded-for': this.address,
      ...headers,
    };
    const sent = Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null));
    const response = await fetch(url, {
      method,
      headers: sent,
      redirect: 'manual',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    this.keep(response.headers);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text };
  }

  keep(headers: Headers): void {
    for (const cookie of headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      if (value === '') this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
  }
}
