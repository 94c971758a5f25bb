import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Environment } from './store.js';

export interface CommandResult {
  readonly ok: boolean;
  /** Standard output, then standard error. */
  readonly output: string;
}

export interface CommandOptions {
  readonly environment: Environment;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** Runs a program to its end. Never rejects: a program that is not there is one that failed. */
export function runCommand(
  command: string,
  args: readonly string[],
  { environment, cwd, timeoutMs = 0, user }: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { env: environment, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, ...(cwd && { cwd }), ...user },
      (error, stdout, stderr) =>
        resolve({ ok: error === null, output: stdout + stderr || (error?.message ?? '') }),
    );
  });
}

/** The path of an executable on `PATH`. */
export function onPath(name: string, environment: Environment): string | undefined {
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
