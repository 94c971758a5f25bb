import type { Reporter, TestModule } from 'vitest/node';

/** Closes a run with its count in plain words, which whoever reads a log needs no knowledge of Vitest for. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const { children } of modules)
      for (const test of children.allTests()) counts[test.result().state] += 1;
    process.stdout.write(
      `Tests: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped + counts.pending} skipped\n`,
    );
  }
}
