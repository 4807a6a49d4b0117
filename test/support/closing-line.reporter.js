/**
 * Ends the output with one line that says it all: `N passed, N failed`, and `, N skipped` when some were.
 * A suite that could not run at all counts as one failure. Printed at exit, because Jest itself still speaks after its
 * reporters have finished.
 */
class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const line = `${results.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    process.once('exit', () => process.stdout.write(`${line}\n`));
  }
}

module.exports = ClosingLineReporter;
