import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInShell } from '../processes/shell-command.js';

/** What a load tool says of its requests. */
export interface ToolReport {
  readonly sent: number;
  /** With 200, and whole. */
  readonly answered: number;
  /** Answered with anything else. */
  readonly refused: number;
  /** Its own lines that say so. */
  readonly lines: readonly string[];
}

interface ToolOptions {
  /** Where Tally answers. */
  readonly url: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** A tool that failed, or whose words nobody understands. */
class ToolError extends Error {
  readonly code = 'TOOL';
}

/** The body of every request. */
const BODY = '{"numbers":[1,2,3,4]}';

/**
 * Runs a load tool in the shell; in its command `{url}` is where Tally answers, and `{sum}` a file with the body of a
 * request.
 *
 * @throws {ToolError} when it does not end with exit code 0, or is none of those that are understood.
 */
export async function runLoadTool(command: string, { url, signal, say }: ToolOptions): Promise<ToolReport> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-load-'));
  try {
    const file = join(folder, 'sum.json');
    await writeFile(file, BODY);
    const lines: string[] = [];
    const onLine = (line: string) => {
      lines.push(line);
      say(`  ${line}`);
    };
    const filled = command.replaceAll('{url}', url).replaceAll('{sum}', file);
    const end = await runInShell(filled, { signal, onLine });
    signal.throwIfAborted();
    if (end !== 'exit code 0') throw new ToolError(`"${command}" ended with ${end}`);
    return readToolReport(lines);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Numbers by their names, as one tool writes them. */
interface Reading {
  readonly sent: RegExp;
  /** Requests without a whole answer, or with another status than 200, whatever the tool counts as that. */
  readonly failed: RegExp;
  /** Those answered with another status, where the tool counts them apart from the failed ones. */
  readonly refused?: RegExp;
}

/** Each says how many were sent in all, but siege, which counts those that failed apart. */
const READINGS: Readonly<Record<string, Reading & { readonly failedApart?: true }>> = {
  ab: {
    sent: /^Complete requests:\s+(\d+)/,
    failed: /^Failed requests:\s+(\d+)/,
    refused: /^Non-2xx responses:\s+(\d+)/,
  },
  siege: {
    sent: /"successful_transactions":\s+(\d+)/,
    failed: /"failed_transactions":\s+(\d+)/,
    failedApart: true,
  },
  k6: { sent: /^\s*http_reqs\.*: (\d+)/, failed: /^\s*http_req_failed\.*: \S+\s+(\d+) out of/ },
};

/**
 * Reads what `ab`, `siege` or `k6` has written.
 *
 * @throws {ToolError} when it is none of them.
 */
export function readToolReport(lines: readonly string[]): ToolReport {
  for (const { sent, failed, refused, failedApart } of Object.values(READINGS)) {
    const read = (pattern: RegExp | undefined) =>
      lines.flatMap((line) => {
        const [, number] = pattern?.exec(line) ?? [];
        return number === undefined ? [] : { line: line.trim(), number: Number(number) };
      });
    const [all, bad, other] = [read(sent), read(failed), read(refused)].map((found) => found.at(-1));
    if (!all || !bad) continue;
    const total = failedApart ? all.number + bad.number : all.number;
    const refusals = other?.number ?? 0;
    return {
      sent: total,
      answered: total - bad.number - refusals,
      refused: refusals,
      lines: [all, bad, other].flatMap((found) => found?.line ?? []),
    };
  }
  throw new ToolError(`nothing says how many were answered: known are ${Object.keys(READINGS).join(', ')}`);
}
