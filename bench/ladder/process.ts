import { hostname } from 'node:os';

/** As the pod's name is in Kubernetes: each process has another. */
export const instance = `${hostname()}-${process.pid}`;

export function sayReady(ports: { readonly port?: number; readonly adminPort: number }): void {
  process.stdout.write(`${JSON.stringify({ msg: 'ready', instance, ...ports })}\n`);
}

/** What to do before the end. */
export function onSigterm(end: () => Promise<void>): void {
  process.once('SIGTERM', () => void end().finally(() => process.exit()));
}
