import { Hono } from 'hono';
import type { Registry } from 'prom-client';
import type { Lifecycle } from './lifecycle.js';
import type { Version } from './version.js';

/** Who a process is, as `GET /version` tells it. */
export interface About extends Version {
  readonly instance: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

export interface AdminOptions {
  readonly about: About;
  readonly lifecycle: Lifecycle;
  readonly registry: Registry;
  /** Resolves with what keeps the process from working, or nothing. Depends on no other system. */
  readonly sickness: () => Promise<string | undefined>;
  /** Resolves with what keeps it from taking work, or nothing. */
  readonly hindrance: () => Promise<string | undefined>;
}

/** The admin port: `/livez`, `/readyz` (200 `ok` or 503 with the reason), `/metrics`, `/version`. */
export function createAdmin({ about, lifecycle, registry, sickness, hindrance }: AdminOptions): Hono {
  const app = new Hono();
  app.get('/livez', async (c) => {
    const reason = await sickness();
    return reason === undefined ? c.text('ok\n') : c.text(`${reason}\n`, 503);
  });
  app.get('/readyz', async (c) => {
    const reason = lifecycle.state === 'ready' ? await hindrance() : lifecycle.state;
    return reason === undefined ? c.text('ok\n') : c.text(`${reason}\n`, 503);
  });
  app.get('/metrics', async (c) =>
    c.text(await registry.metrics(), 200, { 'Content-Type': registry.contentType }),
  );
  app.get('/version', (c) => c.json({ ...about, state: lifecycle.state }));
  return app;
}
