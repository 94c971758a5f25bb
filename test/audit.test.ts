import { describe, expect, inject, test, vi } from 'vitest';
import { audit as auditCommand } from '../src/cli/audit.js';
import { audit, type Audit } from '../src/shared/audit/audit.js';
import type { Chunk } from '../src/shared/chunk.js';
import { DAY, MINUTE, SECOND } from '../src/shared/duration.js';
import type { Ledger } from '../src/shared/ledger.js';
import { Lines } from '../src/shared/lines.js';
import type { Postgres } from '../src/shared/postgres.js';
import { type InfluxBucket, lineAt } from './influx-bucket.js';
import { useStores } from './use-stores.js';

const HOUR = 60 * MINUTE;

const rfc3339 = (nanoseconds: string) =>
  `${new Date(Number(nanoseconds.slice(0, -6))).toISOString().slice(0, -'.000Z'.length)}.${nanoseconds.slice(-9)}Z`;

interface ChunkOptions {
  readonly instance?: string;
  readonly agoMs?: number;
  readonly operations?: number;
}

describe.each(inject('influxGenerations'))('an audit, on a real InfluxDB %s.x,', (generation) => {
  let bucket: InfluxBucket;
  let postgres: Postgres & { readonly url: string };
  let ledger: Ledger;
  useStores((stores) => ({ bucket, postgres, ledger } = stores), generation);

  /** Chunk `seq` of an instance: five operations, a microsecond after those of the one before. */
  function chunkOf(seq: number, options: ChunkOptions = {}): Chunk {
    const { instance = 'i', agoMs = MINUTE, operations = 5 } = options;
    const first = BigInt(startedAt - agoMs) * 1_000_000n + BigInt(seq) * 1_000n;
    const lines = Array.from({ length: operations }, (_, n) =>
      lineAt(n, { instance, at: String(first + BigInt(n)) }),
    );
    return { id: `${instance}.${seq}`, lines: Lines.of(lines) };
  }
  const startedAt = Date.now();

  async function log(...chunks: readonly Chunk[]): Promise<void> {
    await store(...chunks);
    await ledger.addLogged(chunks);
  }
  const store = (...chunks: readonly Chunk[]) => bucket.write(chunks.map(({ lines }) => lines.text));

  /** Deletes the points of a chunk from InfluxDB, which nobody should. */
  async function lose({ id, lines }: Chunk): Promise<void> {
    const [instance] = id.split('.');
    const { firstAt = '', lastAt = '' } = lines.range ?? {};
    if (generation === 1) {
      const where = `instance = '${instance}' AND time >= ${firstAt} AND time <= ${lastAt}`;
      await bucket.influx.query(`DELETE FROM "operation" WHERE ${where}`, 'POST');
      return;
    }
    const { INFLUX_BUCKET, INFLUX_ORG } = bucket.config;
    const search = new URLSearchParams({ bucket: INFLUX_BUCKET, org: INFLUX_ORG });
    const predicate = `_measurement="operation" AND instance="${instance}"`;
    const body = { start: rfc3339(firstAt), stop: rfc3339(lastAt), predicate };
    await bucket.influx.request('POST', `/api/v2/delete?${search}`, body);
  }

  /** Limits the retention of the bucket. */
  async function keepFor(hours: number): Promise<void> {
    const { INFLUX_BUCKET: name, INFLUX_ORG: org } = bucket.config;
    if (generation === 1) {
      await bucket.influx.query(
        `ALTER RETENTION POLICY "autogen" ON "${name}" DURATION ${hours}h SHARD DURATION 1h`,
        'POST',
      );
      return;
    }
    const search = new URLSearchParams({ name, org });
    const found = JSON.parse(await bucket.influx.request('GET', `/api/v2/buckets?${search}`)) as {
      buckets: [{ id: string }];
    };
    const retentionRules = [
      { type: 'expire', everySeconds: hours * 3_600, shardGroupDurationSeconds: 3_600 },
    ];
    await bucket.influx.request('PATCH', `/api/v2/buckets/${found.buckets[0].id}`, { retentionRules });
  }

  /** Writes a surplus: points beside those of a chunk. */
  const addBeside = (chunk: Chunk, count: number) =>
    bucket.write(chunk.lines.text.replaceAll('name=sum', 'name=other').split('\n').slice(0, count));

  const stores = () => ({ postgres, influx: bucket.influx, bucket: bucket.config });
  const run = (sinceMs: number = DAY): Promise<Audit> => audit(stores(), { sinceMs, narrow: true });

  /** What `tally audit` ends with, and says. */
  async function command(values: Record<string, string | boolean> = {}) {
    const said: string[] = [];
    const documents: unknown[] = [];
    const code = await auditCommand.run(values, {
      env: { ...bucket.config, DATABASE_URL: postgres.url },
      print: (text, data) => {
        said.push(text);
        documents.push(data);
      },
      ask: () => Promise.resolve(undefined),
    });
    return { code, text: said.join('\n'), json: documents[0] };
  }

  test('balances what was accepted with what InfluxDB counts, by instance and in total', async () => {
    await log(...[0, 1, 2].map((seq) => chunkOf(seq)), chunkOf(0, { instance: 'j' }));
    expect(await run()).toEqual({
      ...{ accepted: 20, logged: 20, quarantined: 0, dropped: 0, pending: 0, missing: 0, extra: 0 },
      balanced: true,
      instances: [
        expect.objectContaining({ instance: 'i', accepted: 15, logged: 15, balanced: true }),
        expect.objectContaining({ instance: 'j', accepted: 5, logged: 5, balanced: true }),
      ],
      gaps: [],
      chunks: [],
    });
    const { code, text, json } = await command();
    expect([code, json]).toEqual([0, expect.objectContaining({ accepted: 20, balanced: true, gaps: [] })]);
    expect(text).toMatch(/accepted\s+logged\s+quarantined\s+pending\s+missing\n/);
    expect(text).toMatch(/^i\s+15\s+15\s+0\s+0\s+0$/m);
    expect(text).toMatch(/^in total\s+20\s+20\s+0\s+0\s+0\nBalanced/m);
  });

  test('balances when nothing was accepted', async () => {
    expect(await command()).toMatchObject({ code: 0, json: { accepted: 0, balanced: true, instances: [] } });
  });

  test('names exactly the chunk whose operations are missing, and --repair makes it due', async () => {
    const chunks = Array.from({ length: 100 }, (_, seq) => chunkOf(seq));
    await log(...chunks);
    await lose(chunkOf(63));
    expect(await command()).toMatchObject({
      code: 1,
      text: expect.stringMatching(
        /^i\.63: 5 missing\nNot balanced: 5 operations are missing.*--repair/m,
      ) as string,
      json: { logged: 495, missing: 5, balanced: false, chunks: [{ id: 'i.63', missing: 5, extra: 0 }] },
    });
    expect(await ledger.claim(10)).toEqual([]);
    expect(await command({ repair: true })).toMatchObject({
      code: 1,
      text: expect.stringContaining('1 chunks with 5 operations are due again') as string,
      json: { repaired: { chunks: 1, operations: 5 } },
    });
    expect(await ledger.claim(10)).toEqual([{ id: 'i.63', operations: 5 }]);
    await log(chunkOf(63));
    expect(await command()).toMatchObject({ code: 0 });
  });

  test('--repair sends a chunk whole: its lines leave the quarantine, and what is due already stays', async () => {
    const [logged, overdue] = [chunkOf(0), chunkOf(1)];
    await ledger.addLogged([logged]);
    await ledger.add(overdue, -90 * SECOND);
    const [first = ''] = logged.lines.text.split('\n');
    for (const { id } of [logged, overdue])
      await ledger.quarantine([{ chunk: id, line: first, reason: 'no', status: 400 }]);
    expect(await command({ repair: true })).toMatchObject({
      code: 1,
      json: { missing: 8, repaired: { chunks: 2, operations: 10 } },
    });
    expect(await postgres.sql`SELECT chunk_id FROM quarantine`).toEqual([{ chunk_id: overdue.id }]);
    expect(await ledger.claim(10)).toHaveLength(2);
  });

  test('names at most 20 chunks to people', async () => {
    await ledger.addLogged(Array.from({ length: 23 }, (_, seq) => chunkOf(seq)));
    const { text, json } = await command();
    expect(text.match(/^i\.\d+: 5 missing$/gm)).toHaveLength(20);
    expect(text).toContain('\nand 3 more\n');
    expect((json as Audit).chunks).toHaveLength(23);
  });

  test('finds a part of a chunk missing beside a chunk that is missing whole', async () => {
    await log(...Array.from({ length: 40 }, (_, seq) => chunkOf(seq)));
    await lose(chunkOf(7, { operations: 2 }));
    await lose(chunkOf(8));
    expect((await run()).chunks).toEqual([
      { id: 'i.7', missing: 2, extra: 0 },
      { id: 'i.8', missing: 5, extra: 0 },
    ]);
  });

  test('lets no surplus hide what is missing: not in another instance, not in a chunk beside it', async () => {
    await log(...[0, 1, 2].map((seq) => chunkOf(seq)), chunkOf(0, { instance: 'j' }));
    await addBeside(chunkOf(1), 2);
    await lose(chunkOf(0, { operations: 3 }));
    await lose(chunkOf(0, { instance: 'j', operations: 1 }));
    const found = await run();
    expect(found.chunks).toContainEqual({ id: 'i.0', missing: 3, extra: 0 });
    expect(found).toMatchObject({ accepted: 20, logged: 18, missing: 4, extra: 2, balanced: false });
  });

  test('finds a surplus where nobody wrote a chunk, and in a chunk that was refused', async () => {
    const chunks = [0, 1, 2, 3].map((seq) => chunkOf(seq));
    await log(...chunks);
    await ledger.writeOff(chunkOf(4));
    await store(chunkOf(4));
    expect(await run()).toMatchObject({ accepted: 20, logged: 25, missing: 0, extra: 5, balanced: false });
    const { code, text } = await command();
    expect([code, text]).toEqual([
      1,
      expect.stringContaining('i.4: 5 too many\nNot balanced: 5 are too many.'),
    ]);
  });

  test('lets no operation of a refused chunk stand in for one that is missing', async () => {
    await log(...Array.from({ length: 63 }, (_, seq) => chunkOf(seq)));
    await ledger.writeOff(chunkOf(63));
    await store(chunkOf(63));
    await lose(chunkOf(62));
    expect((await run()).chunks).toEqual([
      { id: 'i.62', missing: 5, extra: 0 },
      { id: 'i.63', missing: 0, extra: 5 },
    ]);
  });

  test('counts a point between two chunks as a surplus', async () => {
    await log(...Array.from({ length: 40 }, (_, seq) => chunkOf(seq)));
    const between = String(BigInt(chunkOf(7).lines.range?.lastAt ?? 0) + 3n);
    await bucket.write([lineAt(0, { instance: 'i', at: between })]);
    await lose(chunkOf(12, { operations: 1 }));
    expect((await run()).chunks).toEqual([
      { id: 'i.7', missing: 0, extra: 1 },
      { id: 'i.12', missing: 1, extra: 0 },
    ]);
  });

  test('accounts for lines in quarantine and dropped ones, and for chunks that were refused', async () => {
    const [first, second] = [chunkOf(0), chunkOf(1)];
    await ledger.addLogged([first, second]);
    await store(...[first, second].map((chunk) => ({ ...chunk, lines: chunk.lines.split(3)[0] })));
    const [, refused] = second.lines.split(3);
    for (const [chunk, line] of [first, second].flatMap((one) =>
      one.lines
        .split(3)[1]
        .text.split('\n')
        .map((text) => [one.id, text] as const),
    ))
      await ledger.quarantine([{ chunk, line, reason: 'no', status: 400 }]);
    await postgres.sql`UPDATE quarantine SET dropped_at = now() WHERE line = ${refused.text.split('\n')[0] ?? ''}`;
    await ledger.writeOff(chunkOf(2));
    expect(await run()).toMatchObject({
      accepted: 10,
      logged: 6,
      quarantined: 3,
      dropped: 1,
      balanced: true,
    });
    expect((await command()).text).toMatch(/quarantined\s+dropped\s+pending/);
  });

  test('accounts for a chunk that cannot be read as a whole, and not for its unreadable copy', async () => {
    const [kept, copied] = [chunkOf(0), chunkOf(1)];
    await ledger.addLogged([kept, copied]);
    await store(copied);
    for (const [{ id }, line] of [
      [kept, kept.lines.text],
      [copied, '{"v":9}'],
    ] as const)
      await ledger.quarantine([{ chunk: id, line, reason: 'unreadable', status: 0 }]);
    expect(await run()).toMatchObject({ accepted: 10, logged: 5, quarantined: 5, balanced: true });
  });

  test('takes what is not due, or only just, for pending, and what is overdue for missing', async () => {
    await log(chunkOf(0));
    await ledger.add(chunkOf(1), 90 * SECOND);
    await store(chunkOf(1)); // on its way: stored, and not marked yet
    await ledger.add(chunkOf(2), -30 * SECOND);
    await ledger.add(chunkOf(3), -90 * SECOND);
    await ledger.add(chunkOf(4), -90 * SECOND);
    await store(chunkOf(4));
    expect(await run()).toMatchObject({
      ...{ accepted: 25, logged: 10, pending: 10, missing: 5, extra: 0 },
      chunks: [{ id: 'i.3', missing: 5, extra: 0 }],
    });
  });

  test('cannot tell where the ledger lacks numbers, of an instance that is all in the window also the first', async () => {
    await log(chunkOf(2), chunkOf(3), chunkOf(6), chunkOf(0, { instance: 'j' }));
    expect(await command()).toMatchObject({
      code: 2,
      text: expect.stringMatching(
        /^The ledger lacks i\.0 to \.1\nThe ledger lacks i\.4 to \.5\nCould not tell/m,
      ) as string,
      json: {
        balanced: false,
        gaps: [
          { instance: 'i', from: 0, to: 1 },
          { instance: 'i', from: 4, to: 5 },
        ],
        instances: [
          { instance: 'i', balanced: false },
          { instance: 'j', balanced: true },
        ],
      },
    });
  });

  test('takes no number for lost that is before the window', async () => {
    await log(chunkOf(2, { agoMs: 2 * HOUR }), chunkOf(5), chunkOf(6));
    expect((await run(HOUR)).gaps).toEqual([]);
    expect((await run(3 * HOUR)).gaps).toEqual([
      { instance: 'i', from: 0, to: 1 },
      { instance: 'i', from: 3, to: 4 },
    ]);
  });

  test('counts only the window', async () => {
    await ledger.addLogged([chunkOf(0, { agoMs: 2 * HOUR })]);
    await log(chunkOf(1));
    expect(await command({ since: '1h' })).toMatchObject({ code: 0, json: { accepted: 5, logged: 5 } });
    expect(await command({ since: '3h' })).toMatchObject({ code: 1, json: { accepted: 10, missing: 5 } });
  });

  test('cannot tell what the ledger has forgotten, and says since when it can', async () => {
    await log(chunkOf(0, { agoMs: 2 * HOUR }), chunkOf(1, { agoMs: 2 * HOUR }), chunkOf(2));
    await postgres.sql`UPDATE chunks SET logged_at = now() - interval '2 hours' WHERE seq < 2`;
    expect(await ledger.forget(HOUR, 10)).toBe(2);
    const refused = await command({ since: '3h' }).catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({ code: 'UNDECIDED' });
    const [, longest = ''] = /--since (\d+m) would do$/.exec((refused as Error).message) ?? [];
    expect(await command({ since: longest })).toMatchObject({ code: 0, json: { accepted: 5, gaps: [] } });
  });

  test('cannot tell what the bucket does not keep, and says since when it can', async () => {
    await log(chunkOf(0));
    await keepFor(3);
    await expect(command({ since: '4h' })).rejects.toMatchObject({
      code: 'UNDECIDED',
      message: expect.stringMatching(/bucket does not keep.*; --since 3h would do$/) as string,
    });
    expect(await command({ since: '3h' })).toMatchObject({ code: 0, json: { logged: 5 } });
  });

  test('traces one lost chunk among 20,000 in at most 40 counts', async () => {
    const { sql } = postgres;
    const first = BigInt(chunkOf(0).lines.range?.firstAt ?? 0);
    await sql`
      INSERT INTO chunks (id, instance, seq, operations, first_at, last_at, lines, due_at, logged_at)
      SELECT 'i.' || seq, 'i', seq, 1, ${String(first)}::bigint + seq * 1000, ${String(first)}::bigint + seq * 1000, 'x', now(), now()
      FROM generate_series(0, 19999) AS seq`;
    const lost = 13_579;
    const lines = Array.from({ length: 20_000 }, (_, seq) => chunkOf(seq, { operations: 1 }).lines.text);
    await bucket.write(lines.filter((_, seq) => seq !== lost));
    const queries = vi.spyOn(bucket.influx, 'query');
    expect(await run()).toMatchObject({
      logged: 19_999,
      missing: 1,
      chunks: [{ id: `i.${lost}`, missing: 1 }],
    });
    expect(queries.mock.calls.filter(([text]) => text.includes('COUNT')).length).toBeLessThanOrEqual(40);
  });

  test('does not ask for every chunk of a range that is lost whole', async () => {
    await ledger.addLogged(Array.from({ length: 400 }, (_, seq) => chunkOf(seq)));
    const queries = vi.spyOn(bucket.influx, 'query');
    expect((await run()).chunks).toHaveLength(400);
    expect(queries.mock.calls.length).toBeLessThan(100);
  });
});
