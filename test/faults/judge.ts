import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Load } from '../../src/drill/clients/load.js';
import { judgeOperations, readOperations, type StoredOperation } from '../../src/drill/verdict/verdict.js';
import { SECOND } from '../../src/shared/duration.js';
import { until } from '../latch.js';
import { sum } from '../system/scene.js';
import type { Arena } from './arena.js';

const TALLY = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const AUDIT_MS = 15 * SECOND;

/** What the stores say of a load and of one operation after it; all but the first three must be 0. */
interface Findings {
  readonly acknowledged: number;
  /** Stored without an acknowledgement: the connection or the process went before the answer. */
  readonly unanswered: number;
  /** Stored although answered with 503: both stores kept silent beyond their deadline, and a worker was faster. */
  readonly tookBackTooLate: number;
  readonly lost: number;
  readonly twice: number;
  readonly wrong: number;
  /** Stored, and nobody can have asked for it. */
  readonly invented: number;
  /** Stored at the last check, and no longer. */
  readonly gone: number;
  /** Fresh operations that were not answered with 200, or not stored. */
  readonly notFresh: number;
}

interface AuditRun {
  readonly code: number;
  readonly said: string;
}

/** What is looked at in the answer of `tally audit --json`. */
interface Audited {
  readonly logged: number;
  readonly missing: number;
  readonly extra: number;
  readonly gaps: readonly { readonly instance: string; readonly from: number; readonly to: number }[];
}

/** Holds what the load was promised against what is stored, after each fault or sequence of faults. */
export class Judge {
  readonly #arena: Arena;
  #before = new Set<string>();

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * Ends the load, waits until nothing is on its way, and checks: every acknowledged id is stored; every stored id was
   * issued; results match; a fresh operation passes; `tally audit` says the same.
   *
   * @throws {Error} with what was found when that does not hold.
   */
  async check(): Promise<Findings> {
    const { load, scene } = this.#arena;
    await load.stop();
    await this.#settled();
    const all = await readOperations(scene.influx);
    const since = all.filter(({ id }) => !this.#before.has(id));
    const { lost, twice, wrong } = judgeOperations(load.answered, since);
    const unacknowledged = await this.#explain(load, since);
    const gone = this.#before.size + since.length - all.length;
    const notFresh = await this.#notFresh();
    this.#before = new Set((await readOperations(scene.influx)).map(({ id }) => id));
    const wrongs = { lost, twice, wrong, gone, notFresh };
    const findings = { acknowledged: load.answered.size, ...unacknowledged, ...wrongs };
    if (findings.invented > 0 || Object.values(wrongs).some((count) => count !== 0))
      throw new Error(`${JSON.stringify(findings)}\n${await this.#evidence(load, since)}`);
    const audited = await this.#audited();
    if (audited !== this.#before.size)
      throw new Error(`tally audit counts ${audited} operations of ${this.#before.size}`);
    return findings;
  }

  async #settled(): Promise<void> {
    try {
      await this.#arena.settled();
    } catch (error) {
      const left = await this.#arena.onTheWay();
      throw new Error(
        `nothing moves any more: unlogged, active, waiting, delayed, prioritized, failed, completed, quarantined are ${left.join(', ')}`,
        { cause: error },
      );
    }
  }

  /**
   * Why operations without an acknowledgement are stored. A request without an answer may have been accepted. One with
   * a 503 was not promised, and was taken back where that was possible: its chunk must have been sent, which the API
   * says of each that no store took in time.
   */
  async #explain(load: Load, since: readonly StoredOperation[]) {
    const failures = new Map(load.failed.map((failure) => [failure.serial, failure]));
    const counts = { unanswered: 0, tookBackTooLate: 0, invented: 0 };
    const notAccepted = this.#notAccepted();
    for (const { id, result } of since.filter((stored) => !load.answered.has(stored.id))) {
      const failure = failures.get(result);
      failures.delete(result);
      if (failure?.kind === 'reset' || failure?.kind === 'timedOut') counts.unanswered++;
      else if (failure && notAccepted.has(await this.#chunkOf(id))) counts.tookBackTooLate++;
      else counts.invented++;
    }
    return counts;
  }

  async #chunkOf(id: string): Promise<string> {
    const [at = '', ...instance] = id.split('-');
    const rows = await this.#arena.scene.postgres.sql<{ id: string }[]>`
      SELECT id FROM chunks
      WHERE instance = ${instance.join('-')} AND first_at <= ${at} AND last_at >= ${at}`;
    return rows[0]?.id ?? 'none';
  }

  async #notFresh(): Promise<number> {
    const { apis, scene } = this.#arena;
    const answers = await Promise.all(apis.map(({ process }) => sum(process, [1, 2])));
    const ids = answers.flatMap(({ status, body: { id, result } }) =>
      status === 200 && result === 3 && id ? id : [],
    );
    const stored = async () => {
      const now = new Set((await readOperations(scene.influx)).map(({ id }) => id));
      return ids.every((id) => now.has(id));
    };
    const passed = await until(stored).then(
      () => ids.length,
      () => 0,
    );
    await this.#settled();
    return apis.length - passed;
  }

  /**
   * Operations that `tally audit` says are logged, once it finds everything balanced: numbers of refused chunks are
   * written off a second after their refusal.
   *
   * @throws {Error} with what it said when it does not.
   */
  async #audited(): Promise<number> {
    const deadline = Date.now() + AUDIT_MS;
    let last = await this.#audit();
    while (last.code === 2 && !this.#balances(last) && Date.now() < deadline) {
      await delay(SECOND / 2);
      last = await this.#audit();
    }
    if (!this.#balances(last)) throw new Error(`tally audit exits with ${last.code}: ${last.said}`);
    return (JSON.parse(last.said) as Audited).logged;
  }

  /** Or cannot tell because of nothing but refused chunks whose numbers died with an API before they were written off. */
  #balances({ code, said }: AuditRun): boolean {
    if (code !== 2) return code === 0;
    if (!said.startsWith('{')) return false;
    const { missing, extra, gaps } = JSON.parse(said) as Audited;
    const notAccepted = this.#notAccepted();
    const killed = new Set(this.#arena.apis.flatMap(({ pastInstances }) => pastInstances));
    const lacking = gaps.flatMap(({ instance, from, to }) =>
      Array.from({ length: to - from + 1 }, (_, n) => ({ instance, chunk: `${instance}.${from + n}` })),
    );
    const explained = lacking.every(({ instance, chunk }) => killed.has(instance) && notAccepted.has(chunk));
    return missing === 0 && extra === 0 && explained;
  }

  #audit(): Promise<AuditRun> {
    const env = { PATH: process.env['PATH'], ...this.#arena.scene.env };
    return new Promise((resolve) => {
      execFile(process.execPath, [TALLY, 'audit', '--json'], { env }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, said: `${stdout}${stderr}` }),
      );
    });
  }

  /** Chunks that a store did not accept, as the APIs say. */
  #notAccepted(): ReadonlySet<string> {
    const said = this.#arena.apis.flatMap(({ log }) => log);
    return new Set(
      said.flatMap(({ msg, chunk }) =>
        msg === 'a store did not accept the chunk' && typeof chunk === 'string' ? chunk : [],
      ),
    );
  }

  /** For people: what the ledger and the processes know of what is wrong. */
  async #evidence(load: Load, since: readonly StoredOperation[]): Promise<string> {
    const stored = new Set(since.map(({ id }) => id));
    const lost = [...load.answered.keys()].filter((id) => !stored.has(id));
    const issued = new Set(load.answered.keys());
    const others = since.filter(({ id }) => !issued.has(id)).map(({ id }) => id);
    const chunks = new Map<string, number>();
    for (const id of [...lost, ...others].slice(0, 200)) {
      const chunk = await this.#chunkOf(id);
      chunks.set(chunk, (chunks.get(chunk) ?? 0) + 1);
    }
    const rows = await this.#arena.scene.postgres.sql`
      SELECT id, operations, accepted_at, due_at, logged_at FROM chunks WHERE id = ANY (${[...chunks.keys()]})`;
    const said = this.#arena.members.flatMap(({ log }) =>
      log.filter(({ level, chunk }) => Number(level) >= 40 || chunks.has(String(chunk))),
    );
    const now = new Set((await readOperations(this.#arena.scene.influx)).map(({ id }) => id));
    return [
      `stored by now: ${lost.filter((id) => now.has(id)).length} of ${lost.length} lost`,
      `lost: ${lost.slice(0, 5).join(' ')}`,
      `without acknowledgement: ${others.slice(0, 5).join(' ')}`,
      ...rows.slice(0, 20).map((row) => JSON.stringify({ ...row, ids: chunks.get(String(row['id'])) })),
      ...said.slice(-60).map((line) => JSON.stringify(line).slice(0, 400)),
    ].join('\n');
  }
}
