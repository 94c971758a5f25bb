import { expect } from 'vitest';
import { say } from '../commands.js';
import type { Findings } from '../judge.js';
import type { Audit } from '../release.js';
import type { Story } from '../story.js';

/** What must hold after every scene: of all that was answered so far nothing is lost, and nothing is there twice. */
export async function expectAllStored(
  { release, report }: Story,
  scene: string,
  startedMs: number,
): Promise<Findings> {
  const audit = await release.settled();
  const findings = await release.judge();
  const seconds = Math.round((Date.now() - startedMs) / 1_000);
  report.add({ scene, seconds, requests: release.record.requests, findings });
  say(`${scene}: ${JSON.stringify(findings)}`);
  expectBalanced(audit);
  const strange = release.record.failed.length > 0 ? release.record.failed.slice(-5) : [];
  expect(findings, JSON.stringify(strange)).toMatchObject({
    ...{ lost: 0, twice: 0, wrong: 0, invented: 0, unexplained: 0 },
  });
  return findings;
}

function expectBalanced(audit: Audit): void {
  expect(audit).toMatchObject({ balanced: true, missing: 0, extra: 0, quarantined: 0, pending: 0 });
}
