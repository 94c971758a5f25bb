import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { sayReady } from './process.js';

/** One job per sum. */
export const QUEUE = 'sums';

export const connection = { url: process.env['REDIS_URL'] ?? '' };

/** As BullMQ's defaults (30 s and 30 s), shortened for a drill. */
export const LOCKS = { lockDuration: 5_000, stalledInterval: 2_000 };

/** Workers have their probe too. */
export function openProbe(): void {
  const app = new Hono().get('/readyz', (c) => c.text('ready'));
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env['ADMIN_PORT']) }, ({ port }) =>
    sayReady({ adminPort: port }),
  );
}
