import { createHook } from 'node:async_hooks';

interface Attempt {
  address?: string;
  port?: number;
}

/** Sees every TCP connection this process begins, by whatever library: Node makes one request object for each connect(2). */
export class ConnectSpy {
  private readonly seen: Attempt[] = [];
  private readonly hook = createHook({
    init: (_id, type, _trigger, resource) => {
      if (type === 'TCPCONNECTWRAP') this.seen.push(resource as Attempt);
    },
  });

  constructor() {
    this.hook.enable();
  }

  /** `address:port` of each, in order. */
  get attempts(): string[] {
    return this.seen.map(({ address, port }) => `${address}:${port}`);
  }

  stop(): void {
    this.hook.disable();
  }
}
