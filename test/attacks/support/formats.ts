import type { ServerResponse } from 'node:http';
import { DIALECTS, type DialectName } from '../../../src/dialects/dialect.js';
import { awsFrame } from '../../support/aws-frames.js';
import { REPLY_FORMATS, type Said } from '../../support/tool-replies.js';
import { json, type Script, ScriptedUpstream, type UpstreamCall } from '../../support/upstream.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

/** A wire format of providers, as attacks use it. */
export interface ProviderFormat {
  dialect: DialectName;
  /** The provider type that is spoken to in it, and the path of its base URL. */
  type: string;
  basePath: string;
  model: string;
  /** Answers a conversation, whole or streamed as asked. */
  says(said: Said): Script;
  /** Answers a request for embeddings; null: the format has none. */
  embeds: Script | null;
}

const byField = ({ body }: UpstreamCall) => body.stream === true;

/** Streams these events where the request asks for a stream. */
const either =
  (whole: object, events: () => string, type = 'text/event-stream'): Script =>
  (call, response) => {
    if (!byField(call)) return json(200, whole)(call, response);
    response.writeHead(200, { 'content-type': type });
    response.end(events());
  };

const sse = (...events: (object | string)[]): string =>
  events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('');
const named = (...events: { type: string; [field: string]: unknown }[]): string =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
const lines = (...events: object[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join('');

const chatUsage = ({ input, output, cacheRead }: Said['usage']) => ({
  prompt_tokens: input + cacheRead,
  completion_tokens: output,
  total_tokens: input + cacheRead + output,
  prompt_tokens_details: { cached_tokens: cacheRead },
});

const completions = ({ text = '', usage }: Said): Script => {
  const head = { id: 'cmpl-1', object: 'text_completion', created: 1_700_000_000, model: 'm' };
  const choice = (part: string, finish: string | null) => ({ choices: [{ index: 0, text: part, logprobs: null, finish_reason: finish }] });
  return either({ ...head, ...choice(text, 'stop'), usage: chatUsage(usage) }, () =>
    sse(
      { ...head, ...choice(text, null) },
      { ...head, ...choice('', 'stop') },
      { ...head, choices: [], usage: chatUsage(usage) },
      '[DONE]',
    ),
  );
};

const ollama = ({ text = '', usage }: Said): Script => {
  const last = { model: 'm', done: true, done_reason: 'stop', prompt_eval_count: usage.input, eval_count: usage.output };
  return either(
    { ...last, message: { role: 'assistant', content: text } },
    () =>
      lines(
        { model: 'm', message: { role: 'assistant', content: text }, done: false },
        { ...last, message: { role: 'assistant', content: '' } },
      ),
    'application/x-ndjson',
  );
};

const cohere = ({ text = '', usage: { input, output } }: Said): Script => {
  const usage = { billed_units: { input_tokens: input, output_tokens: output }, tokens: { input_tokens: input, output_tokens: output } };
  const whole = { id: 'c', message: { role: 'assistant', content: [{ type: 'text', text }] }, finish_reason: 'COMPLETE', usage };
  return either(whole, () =>
    named(
      { type: 'message-start', id: 'c', delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [] } } },
      { type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } },
      { type: 'content-delta', index: 0, delta: { message: { content: { text } } } },
      { type: 'content-end', index: 0 },
      { type: 'message-end', delta: { finish_reason: 'COMPLETE', usage } },
    ),
  );
};

const workersAi = ({ text = '', usage }: Said): Script =>
  either({ result: { response: text, usage: chatUsage(usage) }, success: true }, () =>
    sse({ response: text }, { response: '', usage: chatUsage(usage) }, '[DONE]'),
  );

const VECTOR = [0.1, 0.2];
const openAiVectors = json(200, {
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding: VECTOR }],
  model: 'm',
  usage: { prompt_tokens: 3, total_tokens: 3 },
});

const FORMATS: Readonly<Record<DialectName, Omit<ProviderFormat, 'dialect'>>> = {
  'openai-chat': { ...REPLY_FORMATS.chat, basePath: '/v1', embeds: openAiVectors },
  'openai-completions': { type: 'openai', basePath: '/v1', model: 'm', says: completions, embeds: null },
  'openai-responses': { ...REPLY_FORMATS.responses, basePath: '/v1', embeds: openAiVectors },
  'anthropic-messages': { ...REPLY_FORMATS.messages, basePath: '', embeds: null },
  gemini: { ...REPLY_FORMATS.gemini, basePath: '/v1beta', embeds: json(200, { embeddings: [{ values: VECTOR }] }) },
  'bedrock-converse': {
    ...REPLY_FORMATS.converse,
    basePath: '',
    embeds: json(200, { embedding: VECTOR, inputTextTokenCount: 3 }),
  },
  ollama: {
    type: 'ollama',
    basePath: '',
    model: 'm',
    says: ollama,
    embeds: json(200, { model: 'm', embeddings: [VECTOR], prompt_eval_count: 3 }),
  },
  cohere: {
    type: 'cohere',
    basePath: '/v2',
    model: 'm',
    says: cohere,
    embeds: json(200, { id: 'e', embeddings: { float: [VECTOR] }, meta: { billed_units: { input_tokens: 3 } } }),
  },
  'workers-ai': {
    type: 'cloudflare-workers-ai',
    basePath: '',
    model: 'm',
    says: workersAi,
    embeds: openAiVectors,
  },
};

/** Every wire format of providers. */
export const PROVIDER_FORMATS: readonly ProviderFormat[] = DIALECTS.map((dialect) => ({ ...FORMATS[dialect], dialect }));

/** The events of a stream one by one, as they lie on the wire: to leave or cut it at any of them. */
export function eventsOf({ says, dialect }: ProviderFormat, said: Said): { type: string; events: Buffer[] } {
  const call = { path: '/stream', headers: {}, text: '', body: { model: 'm', stream: true }, billed: null, closed: Promise.resolve(false) };
  const { type, bytes } = written(says(said), call);
  return { type, events: dialect === 'bedrock-converse' ? awsFrames(bytes) : texts(bytes, dialect === 'ollama' ? '\n' : '\n\n') };
}

/** What a script writes. */
function written(script: Script, call: UpstreamCall): { type: string; bytes: Buffer } {
  let type = '';
  const parts: Buffer[] = [];
  const keep = (data: string | Buffer) => void parts.push(Buffer.from(data as string));
  const response = {
    writeHead: (_status: number, headers: Record<string, string>) => {
      type = headers['content-type']!;
    },
    write: keep,
    end: keep,
  };
  void script(call, response as unknown as ServerResponse);
  return { type, bytes: Buffer.concat(parts) };
}

/** The same, with every JSON in it changed. */
export const changed =
  (script: Script, change: (json: string) => string): Script =>
  (call, response) => {
    const { type, bytes } = written(script, call);
    response.writeHead(200, { 'content-type': type });
    response.end(type === 'application/vnd.amazon.eventstream' ? Buffer.concat(awsFrames(bytes).map(changedFrame)) : changedText());
    function changedFrame(frame: Buffer): Buffer {
      const headers = frame.readUInt32BE(4);
      return awsFrame(frame.subarray(12, 12 + headers), Buffer.from(change(frame.subarray(12 + headers, -4).toString())));
    }
    function changedText(): string {
      return bytes.toString().replace(/^(data: )?(\{.*\})$/gm, (_, data = '', json) => data + change(json));
    }
  };

const texts = (bytes: Buffer, end: string): Buffer[] =>
  bytes
    .toString()
    .split(end)
    .filter(Boolean)
    .map((event) => Buffer.from(event + end));

function awsFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += frames.at(-1)!.length) frames.push(bytes.subarray(at, at + bytes.readUInt32BE(at)));
  return frames;
}

/** Weir, a tenant with the mock provider, and one scripted upstream that is a provider of each format, named as it, at $1 and $2 per million tokens. */
export interface Rig {
  weir: TestWeir;
  tenant: TestTenant;
  upstream: ScriptedUpstream;
  /** To send with: `send(rig.to, surface, …)`. */
  to: { publicUrl: string; apiKey: string };
  stop(): Promise<void>;
}

/** A reference to the format's model, through its provider of a rig. */
export const modelOf = ({ dialect, model }: ProviderFormat): string => `${dialect}/${model}`;

/** @param secret the key of every provider. */
export async function startRig(environment: Record<string, string> = {}, formats = PROVIDER_FORMATS, secret = 'secret'): Promise<Rig> {
  const upstream = await ScriptedUpstream.start();
  const weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort, ...environment });
  const tenant = await createTenant(weir);
  for (const { dialect, type, basePath } of formats) {
    const base_url = `http://${upstream.hostPort}${basePath}`;
    const key =
      type === 'cloudflare-workers-ai'
        ? { credential: { type: 'headers', headers: { authorization: `Bearer ${secret}` } } }
        : { key: secret };
    await tenant.admin('POST', '/v1/organization/prices', { provider: dialect, model: '*', input: '1', output: '2' });
    await tenant.admin('POST', '/v1/organization/providers', { name: dialect, type, dialect, base_url, models: ['*'], ...key });
  }
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  const known = () => tenant.openai.models.retrieve('mock/echo').then(Boolean, () => false);
  await eventually(known, 20_000);
  return {
    weir,
    tenant,
    upstream,
    to: { publicUrl: weir.publicUrl, apiKey: tenant.apiKey },
    async stop() {
      await weir.stop();
      await upstream.stop();
    },
  };
}
