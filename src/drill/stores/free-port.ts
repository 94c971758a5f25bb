import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A free TCP port of 127.0.0.1, from 20000 to 29999. Those lie below the ports that systems give to outgoing
 * connections (Linux from 32768, macOS from 49152): while a store is down, a client that keeps connecting to a port of
 * that range is in the end given the same port, connects to itself, and the store cannot come back.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    if (await isFree(port)) return port;
  }
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
