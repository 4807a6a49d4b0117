import type { TestTenant, TestWeir } from '../../support/weir.js';
import { eventually, unprobed } from '../../support/weir.js';

/** What the specs read of replies, whatever they are of. */
export interface Body {
  id: string;
  value: string;
  created_by: string;
  redacted_value: string;
  revoked_at: number | null;
  base_url: string;
  current_period: { spent: string };
  usage: { input_tokens: number; output_tokens: number };
  cost: string;
  data: Body[];
  /** Of an answer that is not JSON. */
  text: string;
  keys: { id: string }[];
  has_more: boolean;
  last_id: string;
  next_page: string;
  start_time: number;
  end_time: number;
  results: object[];
  paths: Record<string, Record<string, { summary?: string; responses: object }>>;
  components: { schemas: object; securitySchemes: { bearer: object } };
  error: { message: string; code: string; param: string | null };
}

export interface AdminReply {
  status: number;
  headers: Headers;
  body: Body;
}

export type Send = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<AdminReply>;

let addresses = 0;

/** A client of the admin REST that answers whatever came, failures too. Null: without a key. */
export const clientOf =
  (weir: TestWeir, key: string | null): Send =>
  async (method, path, body, headers = {}) => {
    const response = await fetch(weir.adminUrl + path, {
      method,
      headers: {
        // Each from an address of its own: keys that are not valid are counted by it.
        'x-forwarded-for': `2001:db8:${(++addresses).toString(16)}::1`,
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(unprobed(method, path, body)),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.match(/^application\/(scim\+)?json/);
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : { text }) as Body };
  };

/** Makes a call through the mock provider, and answers its id once it can be read. */
export async function makeCall(tenant: TestTenant, text = 'Hello'): Promise<string> {
  const { response } = await tenant.openai.chat.completions
    .create({ model: 'mock/echo', messages: [{ role: 'user', content: text }] })
    .withResponse();
  return response.headers.get('x-request-id')!;
}

/** Gives a tenant the mock provider, and waits until the gateway knows. */
export async function addMock(tenant: TestTenant): Promise<void> {
  await tenant.admin('POST', '/v1/organization/providers', { type: 'mock' });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
}
