/** A part of the process that cannot work now, and why. */
export interface Fault {
  part: string;
  /** For machines. */
  status: string;
  /** For people. No secret is in it. */
  reason: string;
}

interface Part {
  stopsCalls: boolean;
  fault(): Fault | null;
}

/** What `/readyz` asks: each part of the process says whether it can work. */
export class Health {
  private readonly parts: Part[] = [];
  /** The process is about to stop: load balancers should look elsewhere. */
  leaving = false;

  /**
   * @param reason why the part cannot work; null: it can. Read from memory.
   * @param stopsCalls whether calls fail while it cannot.
   */
  watch(part: string, status: string, reason: () => string | null, { stopsCalls }: { stopsCalls: boolean }): void {
    const fault = () => {
      const text = reason();
      return text === null ? null : { part, status, reason: text };
    };
    this.parts.push({ stopsCalls, fault });
  }

  faults(): Fault[] {
    return this.parts.flatMap(({ fault }) => fault() ?? []);
  }

  /** Whether new calls should come to this process. */
  get takesCalls(): boolean {
    return !this.leaving && this.parts.every(({ stopsCalls, fault }) => !stopsCalls || fault() === null);
  }
}
