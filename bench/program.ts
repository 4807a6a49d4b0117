/** Runs a benchmark to its end, a failure or a signal. What it pushed to `cleanUp` is ended, the last first, whatever happens on the way. */
export function runProgram(main: () => Promise<void>, cleanUp: (() => unknown)[]): void {
  async function finish(code: number): Promise<never> {
    for (let step = cleanUp.pop(); step; step = cleanUp.pop()) {
      try {
        await step();
      } catch (error) {
        process.stderr.write(`bench: ${(error as Error).message}\n`);
      }
    }
    process.exit(code);
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void finish(130));
  main().then(
    () => finish(0),
    (error: Error) => {
      process.stderr.write(`bench: ${error.message}\n`);
      return finish(1);
    },
  );
}
