import type { TestProject } from 'vitest/node';
import { openInfluxDB1, openInfluxDB2, openPostgres, openRedis } from '../src/drill/stores/open-stores.js';
import { StoreError, type Store } from '../src/drill/stores/store.js';
import { installChromium } from './browser/install-chromium.js';
import { installPrometheus } from './observe/install-prometheus.js';

/** The lines of InfluxDB that the tests run on: those that this machine has, and in CI both or none at all. */
export type InfluxGeneration = 1 | 2;

declare module 'vitest' {
  interface ProvidedContext {
    influxGenerations: InfluxGeneration[];
  }
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Finds the servers, or installs them, once before the test files run side by side. */
export default async function findServers({ provide }: TestProject): Promise<void> {
  await (await openRedis({ report: say }))[Symbol.asyncDispose]();
  await (await openPostgres({ report: say }))[Symbol.asyncDispose]();
  await installPrometheus(say);
  await installChromium(say);
  const generations: InfluxGeneration[] = [];
  if (await opens(openInfluxDB1)) generations.push(1);
  if (await opens(openInfluxDB2)) generations.push(2);
  if (generations.length === 0 || (process.env['CI'] && generations.length < 2)) {
    throw new Error(
      `InfluxDB ${generations.length === 0 ? '1.x or 2.x' : '1.x and 2.x'} is needed here; see above`,
    );
  }
  provide('influxGenerations', generations);
}

async function opens(open: (options: { report: typeof say }) => Promise<Store>): Promise<boolean> {
  try {
    const store = await open({ report: say });
    await store[Symbol.asyncDispose]();
    return true;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    say(`${error.message}\nIts tests are left out.`);
    return false;
  }
}
