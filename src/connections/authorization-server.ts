import { EgressError, type EgressRequest, fetchBuffered, type Transport } from '../platform/egress/index.js';
import { LoginFailed } from './login-errors.js';

const BOUNDS = { totalMs: 10_000, maxBytes: 64 * 1024 };

export interface LoginReply {
  status: number;
  /** Empty when the reply is no JSON object. */
  body: Readonly<Record<string, unknown>>;
}

/** Asks a vendor's login for things, by the one way out: a small JSON reply within ten seconds, no redirect followed. */
export class AuthorizationServer {
  /** @param standIn takes the requests in the vendor's place; null: the vendor does. */
  constructor(
    private readonly transport: Transport,
    private readonly standIn: string | null,
  ) {}

  /** @throws LoginFailed */
  postForm(url: string, fields: Readonly<Record<string, string>>): Promise<LoginReply> {
    return this.ask(url, { headers: ['content-type', 'application/x-www-form-urlencoded'], body: new URLSearchParams(fields).toString() });
  }

  /** @throws LoginFailed */
  postJson(url: string, fields: Readonly<Record<string, string>>): Promise<LoginReply> {
    return this.ask(url, { headers: ['content-type', 'application/json'], body: JSON.stringify(fields) });
  }

  /** @throws LoginFailed */
  get(url: string, headers: string[]): Promise<LoginReply> {
    return this.ask(url, { method: 'GET', headers, body: '' });
  }

  private ask(url: string, request: Pick<EgressRequest, 'method' | 'headers' | 'body'>): Promise<LoginReply> {
    const { origin, pathname } = new URL(url);
    const headers = [...request.headers, 'accept', 'application/json', 'accept-encoding', 'identity', 'user-agent', 'weir'];
    return collect(this.transport, { ...request, origin: this.standIn ?? origin, path: pathname, headers });
  }
}

async function collect(transport: Transport, request: EgressRequest): Promise<LoginReply> {
  try {
    const { status, body } = await fetchBuffered(transport, request, BOUNDS);
    return { status, body: objectIn(body.toString()) };
  } catch (error) {
    throw error instanceof EgressError ? new LoginFailed(error.failure, error.cause) : error;
  }
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
