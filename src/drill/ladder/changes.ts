import type { Evidence } from '../verdict/judgement.js';
import type { Underway } from '../verdict/underway.js';

type Settings = Readonly<Record<string, string>>;

/** What a drill does otherwise than with Tally as it is: other programs, or a protection taken away from outside. */
export interface Changes {
  /** What Node runs instead of Tally's processes. */
  readonly programs?: { readonly api?: readonly string[]; readonly worker?: readonly string[] };
  /** Over everything else that the processes are started with; setup and verdict do without it. */
  readonly env?: Settings;
  /** How processes are asked to end. */
  readonly stopSignal?: NodeJS.Signals;
  /** Nobody asks for `/readyz`. */
  readonly unprobed?: true;
  /** How to tell that all is logged, where ledger and queue cannot. */
  readonly underway?: (environment: Settings) => Underway;
  readonly readEvidence?: (evidence: Evidence) => Evidence;
}
