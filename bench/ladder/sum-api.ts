import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { sayReady } from './process.js';

/** A sum that was answered. */
export interface Sum {
  readonly numbers: number;
  readonly result: number;
}

/** Programs end when connections have not ended by themselves for so long. */
const FORCE_MS = 5_000;

/**
 * What the ladder's APIs share: `POST /sum` and `/readyz` on one port, as a small service with Hono has them. What comes
 * of a sum before it is answered is the program's own. The id is for the caller: a stored sum is known by its result.
 */
export function openSumApi(keep: (sum: Sum) => Promise<void> | void) {
  let ready = true;
  const app = new Hono();
  app.post('/sum', async (c) => {
    const { numbers } = await c.req.json<{ numbers: number[] }>();
    const result = numbers.reduce((total, number) => total + number, 0);
    await keep({ numbers: numbers.length, result });
    return c.json({ result, id: randomUUID() });
  });
  app.get('/readyz', (c) => c.text(ready ? 'ready' : 'ending', ready ? 200 : 503));
  const { HOST: hostname = '127.0.0.1', PORT } = process.env;
  const server = serve({ fetch: app.fetch, hostname, port: Number(PORT) }, ({ port }) =>
    sayReady({ port, adminPort: port }),
  );
  return {
    /** Is no longer ready, and serves on for as long as load balancers may take to see it. */
    leave: async (ms: number) => {
      ready = false;
      await delay(ms);
    },
    /** Stops listening and finishes what is in flight; connections that stay busy are cut. */
    close: () => {
      const closed = new Promise((resolve) => server.close(resolve));
      return Promise.race([closed, delay(FORCE_MS)]);
    },
  };
}
