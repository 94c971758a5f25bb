import { inject } from 'vitest';
import type { InfluxGeneration } from '../global-setup.js';

/** What `npm run test:faults` was asked for; in `npm test` a short run, whose seed draws no fault that takes long. */
export const full = process.env['TALLY_FAULTS'] === 'full';
export const seed = Number(process.env['TALLY_FAULTS_SEED'] ?? 13);
export const rounds = Number(process.env['TALLY_FAULTS_ROUNDS'] ?? 5);

/** The InfluxDBs to run on: one that was asked for, or all that there are. */
export function generations(): readonly InfluxGeneration[] {
  const asked = process.env['TALLY_FAULTS_INFLUX'];
  return inject('influxGenerations').filter((generation) => !asked || String(generation) === asked);
}
