/** A part of the process that cannot work now, and why. */
export interface Fault {
  part: string;
  /** For machines. */
  status: string;
  /** For people. No secret is in it. */
  reason: string;
}

/** What `/readyz` asks: each part of the process says whether it can work. */
export class Health {
  private readonly parts: (() => Fault | null)[] = [];

  /** @param reason why the part cannot work; null: it can. */
  watch(part: string, status: string, reason: () => string | null): void {
    this.parts.push(() => {
      const text = reason();
      return text === null ? null : { part, status, reason: text };
    });
  }

  faults(): Fault[] {
    return this.parts.flatMap((fault) => fault() ?? []);
  }
}
