import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { MINUTE } from '../../src/shared/duration.js';

/** Not a part of `npm test`: it wants a cluster. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/cluster/story.ts'],
    reporters: ['verbose', './test/closing-line.ts'],
    // What is said is progress, and wanted at once.
    disableConsoleIntercept: true,
    testTimeout: 10 * MINUTE,
    hookTimeout: 10 * MINUTE,
    // Each scene goes on where the one before has left the release.
    bail: 1,
  },
});
