import { Answerers } from './answerers.js';
import type { Read, Told } from './answers.js';
import type { Listener } from './asking.js';
import type { Cell } from './cells.js';
import type { WatchEvent } from './events.js';
import { GAP_MS, type Gap } from './gaps.js';
import { LaneRecord } from './lane-record.js';
import { LANES, type Lane } from './lanes.js';

/** Gaps that are kept one by one, and reasons that are told apart. */
const MOST_KEPT = 100;

export interface SeenGap extends Lane, Gap {}

/** All failed asks of one reason. */
export interface SeenError {
  readonly reason: string;
  count: number;
  readonly first: Lane & { readonly ms: number };
}

/** What came of all asks. */
export class WatchRecord implements Listener<LaneRecord> {
  readonly lanes = LANES.map((lane) => new LaneRecord(lane));
  readonly answerers = new Answerers();
  readonly gaps: SeenGap[] = [];
  readonly errors = new Map<string, SeenError>();
  /** What instances said of themselves, with the time, in the order of their appearance. */
  readonly told = new Map<string, Told & { readonly ms: number }>();
  readonly #emit: (event: WatchEvent) => void;

  constructor(emit: (event: WatchEvent) => void) {
    this.#emit = emit;
  }

  sum(of: 'asked' | 'answered' | 'failed' | 'unjudged' | 'gaps'): number {
    return this.lanes.reduce((sum, lane) => sum + lane[of], 0);
  }

  turn(lane: LaneRecord, turn: number, asked: boolean, ms: number): void {
    lane.cells.set(turn, { kind: 'waiting', ms });
    if (!asked) return;
    lane.asked++;
    lane.finder.asked(ms);
  }

  ended(lane: LaneRecord, turn: number, read: Read, ms: number, tookMs: number | undefined): void {
    if (read.kind === 'answered') {
      this.#gapEnds(lane, lane.finder.answered(ms));
      lane.cells.set(turn, this.#answered(lane, read, ms, tookMs));
    } else {
      lane.finder.failed();
      if (tookMs === undefined) lane.unjudged++;
      else this.#failed(lane, read.reason, ms - tookMs);
      lane.cells.set(turn, { kind: 'failed' });
    }
  }

  paused(fromMs: number, toMs: number): void {
    this.#emit({ event: 'pause', ms: toMs - fromMs });
    for (const lane of this.lanes) this.#gapEnds(lane, lane.finder.paused(fromMs, toMs));
  }

  /** Says which gaps have begun. */
  look(nowMs: number): void {
    for (const lane of this.lanes) {
      const gap = lane.finder.found(nowMs);
      if (gap) lane.cells.markGap(gap.fromMs);
      if (gap && !lane.inGap) this.#gapBegins(lane, gap);
    }
  }

  /** It is over: what is a gap by now has ended. */
  end(nowMs: number): void {
    for (const lane of this.lanes) this.#gapEnds(lane, lane.finder.found(nowMs));
  }

  #answered(
    lane: LaneRecord,
    { instance, told }: Read & { kind: 'answered' },
    ms: number,
    tookMs?: number,
  ): Cell {
    lane.answered++;
    lane.failing = undefined;
    if (tookMs !== undefined) lane.took(ms, tookMs);
    if (told) this.#tells(told, ms);
    return {
      kind: 'answered',
      by: this.answerers.answered(instance, ms),
      slow: (tookMs ?? 0) > GAP_MS,
    };
  }

  #tells(told: Told, ms: number): void {
    this.answerers.told(told, ms);
    this.told.set(told.instance, { ...told, ms });
    if (this.told.size <= MOST_KEPT) return;
    const [longestAgo] = [...this.told.values()].sort((one, other) => one.ms - other.ms);
    if (longestAgo) this.told.delete(longestAgo.instance);
  }

  #failed(lane: LaneRecord, reason: string, sentMs: number): void {
    lane.failed++;
    const key = this.errors.has(reason) || this.errors.size < MOST_KEPT ? reason : 'other reasons';
    const known = this.errors.get(key);
    if (known) known.count++;
    else this.errors.set(key, { reason: key, count: 1, first: { ...nameOf(lane), ms: sentMs } });
    if (lane.failing !== reason) this.#emit({ event: 'error', ...nameOf(lane), reason });
    lane.failing = reason;
  }

  #gapBegins(lane: LaneRecord, { fromMs, toMs }: Gap): void {
    lane.inGap = true;
    this.#emit({ event: 'gap', change: 'begins', ...nameOf(lane), ms: toMs - fromMs });
  }

  #gapEnds(lane: LaneRecord, gap: Gap | undefined): void {
    if (!gap) return;
    if (!lane.inGap) this.#gapBegins(lane, gap);
    lane.inGap = false;
    lane.gaps++;
    lane.cells.markGap(gap.fromMs);
    if (this.gaps.length < MOST_KEPT) this.gaps.push({ ...nameOf(lane), ...gap });
    this.#emit({ event: 'gap', change: 'ends', ...nameOf(lane), ms: gap.toMs - gap.fromMs });
  }
}

const nameOf = ({ call, connection }: Lane): Lane => ({ call, connection });
