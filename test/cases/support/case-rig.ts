import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokenInvariants } from '../../support/ledger.js';
import { json, type Script, ScriptedUpstream, type UpstreamCall } from '../../support/upstream.js';
import { createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

/** An input that a gateway of this kind was reported to fail on. `expected` says what is right; the spec that runs it checks it. */
export interface WireCase {
  id: string;
  kind: string;
  surface: string;
  provider_type: string;
  model: string;
  request?: object;
  request_headers?: Record<string, string>;
  /** The request byte for byte, where a parsed one would not be the same. */
  request_text?: string;
  upstream_reply?: { status: number; body: unknown };
  upstream_sse?: string;
  expected: string;
}

export const readCase = (id: string): WireCase => JSON.parse(readFileSync(join(__dirname, '..', 'wire', `${id}.json`), 'utf8')) as WireCase;

/** What came of a request. */
export interface Outcome {
  status: number;
  text: string;
  /** Of a reply that is one JSON object. */
  // biome-ignore lint/suspicious/noExplicitAny: of any format
  body: any;
  /** The data of a stream, without its terminator. */
  // biome-ignore lint/suspicious/noExplicitAny: of any format
  events: any[];
  warnings: string;
  headers: Headers;
  /** The request that the provider got; undefined: it got none. */
  sent: UpstreamCall | undefined;
}

/** Weir, a tenant, and a scripted upstream that is a provider of each type asked for. */
export class CaseRig {
  weir!: TestWeir;
  tenant!: TestTenant;
  upstream!: ScriptedUpstream;
  private readonly names = new Map<string, string>();

  async start(): Promise<void> {
    this.upstream = await ScriptedUpstream.start();
    this.weir = await startTestWeir({ WEIR_EGRESS_ALLOW: this.upstream.hostPort });
    this.tenant = await createTenant(this.weir);
  }

  /** Runs a case as it was reported. @param stream asks for a stream, whatever the case says. */
  async run(wire: WireCase, { stream }: { stream?: boolean } = {}): Promise<Outcome> {
    const { provider_type, model, surface, request, request_text, request_headers, upstream_reply, upstream_sse } = wire;
    const script: Script = upstream_reply
      ? json(upstream_reply.status, upstream_reply.body)
      : (_call, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.end(upstream_sse);
        };
    const body = request_text ?? JSON.stringify({ ...request, ...(stream !== undefined && { stream }) });
    return this.send(surface, provider_type, model, body, script, request_headers);
  }

  /** Sends a body to a provider of a type, with its model written in. @param type empty: the model is a whole reference. */
  async send(
    path: string,
    type: string,
    model: string,
    body: string | object,
    script: Script,
    headers: Record<string, string> = {},
  ): Promise<Outcome> {
    const reference = type === '' ? model : `${await this.provider(type)}/${model}`;
    this.upstream.script = script;
    const before = this.upstream.calls.length;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(this.weir.publicUrl + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.tenant.apiKey}`, 'content-type': 'application/json', ...headers },
      body: text.replace(/^\s*\{/, `{"model":${JSON.stringify(reference)},`),
    });
    const reply = await response.text();
    const isStream = response.headers.get('content-type')?.includes('event-stream') === true;
    return {
      status: response.status,
      text: reply,
      body: isStream ? null : JSON.parse(reply),
      events: isStream ? eventsIn(reply) : [],
      warnings: response.headers.get('x-weir-warnings') ?? '',
      headers: response.headers,
      sent: this.upstream.calls[before],
    };
  }

  /** The ledger must hold after whatever was tried. */
  async stop(): Promise<void> {
    expect(await brokenInvariants(this.weir.db)).toEqual([]);
    await this.weir.stop();
    await this.upstream.stop();
  }

  /** The name of the provider of a type, made when it is first asked for. `openai (dialect: openai-responses)` says a format too. */
  async provider(type: string): Promise<string> {
    const known = this.names.get(type);
    if (known !== undefined) return known;
    const name = `p${this.names.size}`;
    this.names.set(type, name);
    const [, plain = type, dialect] = /^(\S+)(?: \(dialect: (\S+)\))?$/.exec(type) ?? [];
    const base_url = `http://${this.upstream.hostPort}`;
    await this.tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
    await this.tenant.admin('POST', '/v1/organization/providers', {
      name,
      type: plain,
      base_url: plain === 'gemini' ? `${base_url}/v1beta` : base_url,
      key: 'secret',
      models: ['*'],
      ...(dialect !== undefined && { dialect }),
    });
    return name;
  }
}

/** One for all tests of a spec. */
export function caseRig(): CaseRig {
  const rig = new CaseRig();
  beforeAll(() => rig.start());
  afterAll(() => rig.stop());
  return rig;
}

function eventsIn(text: string): unknown[] {
  const data = text.split('\n').filter((line) => line.startsWith('data:'));
  return data
    .map((line) => line.slice('data:'.length).trim())
    .filter((line) => line !== '[DONE]')
    .map((line) => JSON.parse(line));
}
