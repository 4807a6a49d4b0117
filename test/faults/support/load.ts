import type { ServerResponse } from 'node:http';
import type { Random } from '../../support/random.js';
import { chunk, delta, type Script, type UpstreamCall } from '../../support/upstream.js';
import { call, type Seen } from './client.js';
import type { Rig } from './rig.js';

const MAX_CHUNKS = 6;
const MAX_PAUSE_MS = 30;

/** Answers in its own time, with a number of tokens of its own. What a call gets depends on its tag and the seed only. */
export function livelyUpstream(random: Random): Script {
  return async (seen, response) => {
    const own = random.branch(seen.body.max_tokens!);
    const usage = { prompt_tokens: own.int(1, 12), completion_tokens: own.int(1, 400) };
    if (seen.body.stream) await streamed(seen, response, own, usage);
    else await whole(seen, response, own, usage);
  };
}

async function streamed(seen: UpstreamCall, response: ServerResponse, random: Random, usage: UpstreamCall['billed']): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const pieces = random.int(1, MAX_CHUNKS);
  for (let i = 0; i < pieces && !response.destroyed; i++) {
    await pause(random.int(0, MAX_PAUSE_MS));
    response.write(delta({ content: `piece ${i} ` }));
  }
  if (response.destroyed) return;
  seen.billed = usage;
  response.end(`${delta({}, 'stop')}${chunk({ choices: [], usage })}data: [DONE]\n\n`);
}

async function whole(seen: UpstreamCall, response: ServerResponse, random: Random, usage: UpstreamCall['billed']): Promise<void> {
  await pause(random.int(0, MAX_PAUSE_MS * 2));
  if (response.destroyed) return;
  seen.billed = usage;
  const choices = [{ index: 0, message: { role: 'assistant', content: 'whole' }, finish_reason: 'stop' }];
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'test-model-2026', choices, usage }));
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Clients that call one gateway after the other, until told to stop. Some leave early. */
export class Load {
  readonly seen: Seen[] = [];
  private running = true;
  private turn = 0;
  private waiting: (() => void)[] = [];
  private readonly clients: Promise<void>[];

  constructor(
    private readonly rig: Rig,
    random: Random,
    clients: number,
    private readonly keys: readonly string[],
  ) {
    this.clients = Array.from({ length: clients }, (_, index) => this.client(random.branch(index)));
  }

  /** Resolves once this many calls are over. */
  async reached(calls: number): Promise<void> {
    while (this.seen.length < calls) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Resolves when the last call is over. */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.clients);
  }

  /** How many calls had this end. */
  count(end: Seen['end']): number {
    return this.seen.filter((call) => call.end === end).length;
  }

  /** One line for the log of a run. */
  summary(): string {
    const refusals = Map.groupBy(
      this.seen.filter((call) => call.end === 'refused'),
      (call) => call.code,
    );
    const ends = (['whole', 'broken', 'left', 'unreached'] as const).map((end) => `${this.count(end)} ${end}`);
    return `${this.seen.length} calls: ${[...ends, ...[...refusals].map(([code, calls]) => `${calls.length} ${code}`)].join(', ')}`;
  }

  private async client(random: Random): Promise<void> {
    while (this.running && !this.rig.stopped) {
      const url = this.nextUrl();
      if (url === null) {
        await pause(10);
        continue;
      }
      const leavesAt = random.chance(0.1) ? random.int(0, 80) : null;
      const result = await call({
        url,
        key: random.pick(this.keys),
        tag: this.rig.nextTag(),
        stream: random.chance(0.7),
        onSent: (leave) => leavesAt !== null && setTimeout(leave, leavesAt).unref(),
      });
      this.seen.push(result);
      for (const wake of this.waiting.splice(0)) wake();
      if (result.end !== 'whole') await pause(random.int(1, 20)); // as a client would that was turned away
    }
  }

  private nextUrl(): string | null {
    const urls = this.rig.gateways.flatMap((gateway) => gateway.url ?? []);
    return urls[this.turn++ % urls.length] ?? null;
  }
}
