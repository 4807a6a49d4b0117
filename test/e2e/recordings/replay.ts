import type { Random } from '../../support/random.js';
import { bytesOf, type Recording } from '../../support/recordings.js';
import { type Script, ScriptedUpstream } from '../../support/upstream.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { deliver } from './delivery.js';

/** A provider type, and the format it is spoken to in where the type speaks several. */
interface Kind {
  type: string;
  dialect?: string;
  /** Of the base URL. */
  path?: string;
}

const OPENAI: Kind = { type: 'openai', dialect: 'openai-chat', path: '/v1' };

/** How each recorded API is configured, by provider and API; `*` is any API of the provider. */
const KINDS: Record<string, Kind> = {
  'anthropic *': { type: 'anthropic' },
  'azure *': { type: 'azure-openai', dialect: 'openai-chat', path: '/openai/v1' },
  'azure responses': { type: 'azure-openai', dialect: 'openai-responses', path: '/openai/v1' },
  'bedrock *': { type: 'bedrock' },
  'bedrock responses': { type: 'bedrock', dialect: 'openai-responses', path: '/openai/v1' },
  'cohere *': { type: 'cohere' },
  'deepseek *': { type: 'deepseek' },
  'gemini *': { type: 'gemini' },
  'groq *': { type: 'groq', path: '/openai/v1' },
  'mistral *': { type: 'mistral', path: '/v1' },
  'ollama *': { type: 'ollama' },
  'ollama chat.completions': OPENAI,
  'openai *': OPENAI,
  'openai completions': { ...OPENAI, dialect: 'openai-completions' },
  'openai-compatible *': OPENAI,
  'openai-responses *': { ...OPENAI, dialect: 'openai-responses' },
  'openrouter *': { type: 'openrouter', dialect: 'openai-chat', path: '/api/v1' },
  'openrouter responses': { type: 'openrouter', dialect: 'openai-responses', path: '/api/v1' },
};

const keyOf = ({ provider, api }: Recording): string => (KINDS[`${provider} ${api}`] ? `${provider} ${api}` : `${provider} *`);
const nameOf = (key: string): string => key.replace(/[^a-z0-9]+/g, '-').replace(/-$/, '');

/** The gateway with one provider per recorded API, all of them one upstream that plays recordings back. */
export class Replay {
  private constructor(
    readonly weir: TestWeir,
    readonly tenant: TestTenant,
    readonly upstream: ScriptedUpstream,
  ) {}

  static async start(): Promise<Replay> {
    const upstream = await ScriptedUpstream.start();
    const weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
    const tenant = await createTenant(weir);
    for (const [key, { type, dialect, path = '' }] of Object.entries(KINDS)) {
      const base_url = `http://${upstream.hostPort}${path}`;
      await tenant.admin('POST', '/v1/organization/providers', {
        name: nameOf(key),
        type,
        dialect,
        base_url,
        key: 'secret',
        models: ['*'],
      });
      await tenant.admin('POST', '/v1/organization/prices', { provider: nameOf(key), model: '*', input: '1', output: '2' });
    }
    const last = nameOf(Object.keys(KINDS).at(-1)!);
    const isKnown = () =>
      tenant.openai.models.retrieve(`${last}/m`).then(
        () => true,
        () => false,
      );
    await eventually(isKnown, 20_000);
    return new Replay(weir, tenant, upstream);
  }

  async stop(): Promise<void> {
    await this.weir.stop();
    await this.upstream.stop();
  }

  /** The reference a recording's model is called by. */
  modelOf(recording: Recording): string {
    const model = recording.expected.upstream_model?.replace(/^models\//, '');
    return `${nameOf(keyOf(recording))}/${model || FALLBACK_MODELS[recording.provider] || 'm'}`;
  }

  /** What the upstream answers next: the recording's bytes, in pieces where it is a stream. @param part how much of a stream, from 0 to 1. */
  play(recording: Recording, random: Random, part = 1): void {
    this.upstream.script = played(recording, random, part);
  }
}

const FALLBACK_MODELS: Record<string, string> = {
  anthropic: 'claude-sonnet-4-5',
  bedrock: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
  gemini: 'gemini-3-flash',
  cohere: 'command-a-03-2025',
  openai: 'gpt-4o',
};

const played =
  ({ files, http_status, content_type, response_headers, stream }: Recording, random: Random, part: number): Script =>
  async (_call, response) => {
    const bytes = bytesOf(files.response);
    response.writeHead(http_status, { 'content-type': content_type ?? 'application/json', ...response_headers });
    const isText = content_type?.startsWith('text/event-stream') ?? false;
    const pieces = stream ? deliver(bytes.subarray(0, Math.floor(bytes.length * part)), isText, random) : [bytes];
    for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
    response.end();
  };
