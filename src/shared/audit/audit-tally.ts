import type { Accounted } from './audit-ledger.js';

/** Operations: `accepted + extra = logged + quarantined + dropped + pending + missing`. */
export interface Tally extends Accounted {
  /** What InfluxDB itself counted. */
  readonly logged: number;
  /** Not due yet. */
  readonly pending: number;
  readonly missing: number;
  /** What InfluxDB holds beyond what was accepted. Must be 0, and hides nothing that is missing. */
  readonly extra: number;
}

/** A chunk of which InfluxDB holds other than it should. */
export interface ChunkDifference {
  readonly id: string;
  readonly missing: number;
  readonly extra: number;
}

export const NOTHING: Tally = {
  accepted: 0,
  logged: 0,
  quarantined: 0,
  dropped: 0,
  pending: 0,
  missing: 0,
  extra: 0,
};

export function addUp(tallies: readonly Tally[]): Tally {
  const sum = (count: keyof Tally) => tallies.reduce((total, tally) => total + tally[count], 0);
  return {
    accepted: sum('accepted'),
    logged: sum('logged'),
    quarantined: sum('quarantined'),
    dropped: sum('dropped'),
    pending: sum('pending'),
    missing: sum('missing'),
    extra: sum('extra'),
  };
}
