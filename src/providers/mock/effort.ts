/** The request asks for more than the mock provider makes up. Its text is for the client. */
export class TooMuch extends Error {}

/** What one made-up value may still take: so that no schema, however it is nested or repeated, makes the process work for long. */
export class Effort {
  private steps = 5_000;
  private characters = 100_000;

  /** @throws TooMuch */
  step(count = 1): void {
    this.steps -= count;
    if (this.steps < 0)
      throw new TooMuch('The mock provider cannot make a value for this schema: it is too large, or it repeats itself too often.');
  }

  /** @throws TooMuch */
  write(length: number): void {
    this.characters -= length;
    if (this.characters < 0) throw new TooMuch('The mock provider cannot make a value for this schema: the value would be too long.');
  }
}
