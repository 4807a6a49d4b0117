import { closedLoop } from './load.js';
import type { Cores } from './machine.js';
import { requestBytes, text } from './messages.js';
import type { Options } from './options.js';
import { costTable } from './report.js';
import { type Contestant, type Kind, type Stage, send, start } from './stage.js';
import { inTurns } from './turns.js';
import { addProvider, untilServed, type Weir } from './weir.js';

/** Providers by the format they speak: their type, and a model they serve. */
const PROVIDERS: Record<string, { type: string; model: string; dialect?: string }> = {
  chat: { type: 'openai', model: 'gpt-4o', dialect: 'openai-chat' },
  messages: { type: 'anthropic', model: 'claude-sonnet-4-5' },
  responses: { type: 'openai', model: 'gpt-4o', dialect: 'openai-responses' },
  gemini: { type: 'gemini', model: 'gemini-2.5-flash' },
  bedrock: { type: 'bedrock', model: 'amazon.nova-pro-v1:0' },
  ollama: { type: 'ollama', model: 'llama3' },
  cohere: { type: 'cohere', model: 'command-a-03-2025' },
};

const PATHS = { chat: '/v1/chat/completions', messages: '/v1/messages', responses: '/v1/responses' } as const;
type Client = keyof typeof PATHS;

/** What clients speak, and what their providers do. The first is what the others are compared with. */
const PAIRS: [client: Client, provider: string][] = [
  ['chat', 'chat'],
  ['messages', 'messages'],
  ['responses', 'responses'],
  ['chat', 'messages'],
  ['chat', 'gemini'],
  ['chat', 'bedrock'],
  ['chat', 'ollama'],
  ['chat', 'cohere'],
  ['chat', 'responses'],
  ['messages', 'chat'],
  ['responses', 'chat'],
];

const SHORT_PROMPT = [500, 600, 400, 300];
/** 50 KB in 20 turns. */
const LONG_PROMPT = [500, ...Array<number>(20).fill(2_500)];

/** The same conversation in a client's words: an instruction, then turns of a person and the model. */
function bodyOf(client: Client, model: string, kind: Kind): string {
  const [system, ...said] = (kind === 'stream' ? SHORT_PROMPT : LONG_PROMPT).map(text);
  const turns = said.map((content, index) => ({ role: index % 2 === said.length % 2 ? 'assistant' : 'user', content }));
  const streaming = kind === 'stream' ? { stream: true } : {};
  switch (client) {
    case 'chat': {
      const options = kind === 'stream' ? { stream_options: { include_usage: true } } : {};
      return JSON.stringify({
        model,
        messages: [{ role: 'system', content: system }, ...turns],
        max_tokens: 256,
        ...options,
        ...streaming,
      });
    }
    case 'messages':
      return JSON.stringify({ model, max_tokens: 256, system, messages: turns, ...streaming });
    case 'responses':
      return JSON.stringify({ model, instructions: system, input: turns, max_output_tokens: 256, ...streaming });
  }
}

/** Weir with a provider of each format, and a contestant for each pair. */
export async function setUpDialects(options: Options, cores: Cores | null, cleanUp: (() => unknown)[]): Promise<Stage> {
  const { metered, ...stage } = await start(options, cores, cleanUp);
  const { upstream, weir } = stage;
  for (const [name, { type, dialect }] of Object.entries(PROVIDERS))
    await addProvider(weir, { name, type, base_url: `http://127.0.0.1:${upstream.port}/${name}`, ...(dialect && { dialect }) });
  const proxies = PAIRS.filter(([client, provider]) => `${client}, ${provider}`.includes(options.only ?? '')).map(([client, provider]) => {
    const model = `${provider}/${PROVIDERS[provider]!.model}`;
    const request = (kind: Kind) => requestBytes(PATHS[client], weir.port, weir.apiKey, kind === 'stream', bodyOf(client, model, kind));
    const requests = { json: request('json'), stream: request('stream') };
    return metered(`${client}, ${provider}`, (kind) => ({ port: weir.port, request: requests[kind] }));
  });
  for (const contestant of proxies) await checkAnswers(contestant, weir);
  return { ...stage, proxies };
}

/** The last piece of the stream, and of the reply. @throws Error when one does not come */
async function checkAnswers(contestant: Contestant, weir: Weir): Promise<void> {
  for (const kind of ['json', 'stream'] as const) {
    const body = await (await untilServed(() => send(contestant, kind), weir)).text();
    if (!body.includes(kind === 'json' ? text(460) : ' token98'))
      throw new Error(`${contestant.name} gives another answer than the provider`);
  }
}

export async function measureDialects({ proxies }: Stage, options: Options): Promise<string> {
  const { callers, rounds, seconds } = options;
  const load = (kind: Kind) => inTurns(proxies, kind, options, (destination, time) => closedLoop(destination, callers, time));
  return [
    `${callers} callers, ${rounds} x ${seconds} s each in turns, medians; CPU is Weir's own, per call; names are the client's format and the provider's`,
    costTable('\nStream of 100 events sent at once, 2 KB request', await load('stream')),
    costTable('\nJSON call, 50 KB request, 1 KB reply', await load('json')),
  ].join('\n');
}
