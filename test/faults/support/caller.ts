import { eventually } from '../../support/weir.js';
import { call, type Seen } from './client.js';
import type { Gateway, Rig } from './rig.js';
import { answerInSteps, pausedAnswer, pausedStream } from './scripts.js';

/** A call that has begun and does not end before it is told to. */
export interface InFlight {
  goOn(): void;
  readonly ended: Promise<Seen>;
}

/** The client of one spec: makes calls, remembers how each went, and keeps some under way. */
export class Caller {
  readonly seen: Seen[] = [];

  constructor(
    private readonly rig: Rig,
    private readonly gateway: () => Gateway,
  ) {}

  async make(stream: boolean, onData?: (text: string) => void, url = this.gateway().url!): Promise<Seen> {
    const result = await call({ url, key: this.rig.tenant.apiKey, tag: this.rig.nextTag(), stream, onData });
    this.seen.push(result);
    return result;
  }

  /** Calls are served, at the latest after this. On a busy machine the first hold of a new process may be late, and is then refused as it should be. */
  async served(withinMs = 5_000, url?: string): Promise<void> {
    await eventually(async () => (await this.make(false, undefined, url)).end === 'whole', withinMs);
  }

  /** A stream whose first piece has arrived. */
  async stream(url?: string): Promise<InFlight> {
    await this.served(5_000, url);
    const { script, goOn } = pausedStream();
    this.rig.upstream.script = script;
    let ended!: Promise<Seen>;
    await new Promise<void>((resolve) => {
      ended = this.make(true, () => resolve(), url);
    });
    this.rig.upstream.script = answerInSteps;
    return { goOn, ended };
  }

  /** An answer that is not streamed, whose request the upstream has got. */
  async whole(url?: string): Promise<InFlight> {
    await this.served(5_000, url);
    const { script, goOn } = pausedAnswer();
    this.rig.upstream.script = script;
    const before = this.rig.upstream.calls.length;
    const ended = this.make(false, undefined, url);
    await this.rig.upstream.received(before + 1);
    this.rig.upstream.script = answerInSteps;
    return { goOn, ended };
  }
}
