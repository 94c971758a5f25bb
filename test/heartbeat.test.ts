import { afterEach, describe, expect, test, vi } from 'vitest';
import { readHeartbeat } from '../src/shared/heartbeats/heartbeat.js';
import { Heartbeats } from '../src/shared/heartbeats/heartbeats.js';
import { HeartbeatSender } from '../src/shared/heartbeats/heartbeat-sender.js';
import type { HeartbeatStore, KeptHeartbeat } from '../src/shared/heartbeats/heartbeat-store.js';
import { Lifecycle } from '../src/shared/lifecycle.js';
import { apiBeat, workerBeat } from './heartbeats.js';
import { latch, turn, until } from './latch.js';

afterEach(() => void vi.useRealTimers());

const textOf = (heartbeat: object, over: object = {}) => JSON.stringify({ ...heartbeat, ...over });

describe('a heartbeat', () => {
  test('is read as it was written', () => {
    const histogram = { bounds: [0.1, 1], counts: [1, 2, 2] };
    for (const heartbeat of [
      apiBeat('a-1', { counts: { accepted: 3, answerSeconds: histogram } }),
      workerBeat('w_1', { away: ['queue-0', 'influxdb'], counts: { loggedSeconds: histogram } }),
    ])
      expect(readHeartbeat(textOf(heartbeat))).toEqual(heartbeat);
  });

  test('of a newer version is read as far as this one knows it', () => {
    expect(readHeartbeat(textOf(apiBeat('a'), { mood: 'good' }))).toEqual(apiBeat('a'));
  });

  const counts = apiBeat('a').counts;
  test.each<[string, string]>([
    ['is not JSON', '{'],
    ['is no object', '7'],
    ['is too long', textOf(apiBeat('a'), { note: 'x'.repeat(5_000) })],
    ['is of another process', textOf(apiBeat('a'), { process: 'cli' })],
    ['has HTML for a name', textOf(apiBeat('<img src=x>'))],
    ['has a name that is no text', textOf(apiBeat('a'), { instance: ['a'] })],
    ['has an endless version', textOf(apiBeat('a'), { version: 'x'.repeat(200) })],
    ['has another state', textOf(apiBeat('a'), { state: 'gone' })],
    ['counts in parts', textOf(apiBeat('a'), { counts: { ...counts, accepted: 0.5 } })],
    ['counts below nothing', textOf(apiBeat('a'), { counts: { ...counts, accepted: -1 } })],
    ['has no number', textOf(apiBeat('a'), { beat: null })],
    ['names no store', textOf(apiBeat('a'), { away: ['<b>queue</b>'] })],
    ['names too many stores', textOf(apiBeat('a'), { away: Array(100).fill('queue') })],
    ['has too many buckets', textOf(apiBeat('a', { counts: { answerSeconds: manyBuckets(50) } }))],
    [
      'has buckets that shrink',
      textOf(apiBeat('a', { counts: { answerSeconds: { bounds: [1], counts: [2, 1] } } })),
    ],
    ['lacks a bucket', textOf(apiBeat('a', { counts: { answerSeconds: { bounds: [1], counts: [2] } } }))],
  ])('is none when it %s', (_, text) => {
    expect(readHeartbeat(text)).toBeUndefined();
  });
});

function manyBuckets(number: number) {
  return { bounds: Array.from({ length: number }, (_, n) => n), counts: Array<number>(number + 1).fill(0) };
}

/** A place whose answers the test gives. */
class Place implements HeartbeatStore {
  away = false;
  kept: KeptHeartbeat[] = [];
  answers: 'answers' | 'fails' | 'keeps silent' = 'answers';
  asked = 0;
  resets = 0;
  disposed = false;

  async #ask<T>(answer: () => T): Promise<T> {
    this.asked++;
    if (this.answers === 'fails') throw new Error('it is broken');
    if (this.answers === 'keeps silent') await latch().promise;
    return answer();
  }

  write(instance: string, heartbeat: string): Promise<void> {
    return this.#ask(() => {
      this.kept = [...this.kept.filter((kept) => kept.instance !== instance), { instance, heartbeat }];
    });
  }

  read(): Promise<readonly KeptHeartbeat[]> {
    return this.#ask(() => this.kept);
  }

  forget(): Promise<void> {
    return this.#ask(() => undefined);
  }

  isRefusal(): boolean {
    return false;
  }

  reset(): void {
    this.resets++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
  }
}

describe('heartbeats in two places', () => {
  test('are written into both, and of each instance the latest is read', async () => {
    const [one, other] = [new Place(), new Place()];
    const heartbeats = new Heartbeats([one, other]);
    await heartbeats.write(apiBeat('a', { beat: 1 }));
    one.away = true;
    await heartbeats.write(apiBeat('a', { beat: 2 }));
    one.away = false;
    expect(await heartbeats.read()).toEqual([apiBeat('a', { beat: 2 })]);
    other.away = true;
    expect(await heartbeats.read()).toEqual([apiBeat('a', { beat: 1 })]);
    one.away = true;
    expect(await heartbeats.read()).toBeUndefined();
  });

  test('are ignored where they are under another name, or no heartbeats', async () => {
    const place = new Place();
    place.kept = [
      { instance: 'b', heartbeat: textOf(apiBeat('a')) },
      { instance: 'c', heartbeat: 'nonsense' },
      { instance: '__proto__', heartbeat: textOf(apiBeat('__proto__')) },
    ];
    expect(await new Heartbeats([place]).read()).toEqual([apiBeat('__proto__')]);
  });

  test('wait for no place that fails or keeps silent, which is then left alone for a while', async () => {
    const [good, bad] = [new Place(), new Place()];
    const heartbeats = new Heartbeats([good, bad]);
    bad.answers = 'keeps silent';
    await heartbeats.write(apiBeat('a'));
    expect(bad).toMatchObject({ asked: 1, resets: 1 });
    bad.answers = 'answers';
    await heartbeats.write(apiBeat('a', { beat: 2 }));
    expect([bad.asked, good.asked]).toEqual([1, 2]);
    await until(async () => {
      await heartbeats.write(apiBeat('a', { beat: 3 }));
      return bad.kept.length > 0;
    });
    bad.answers = 'fails';
    const before = bad.asked;
    for (let n = 0; n < 10; n++) await heartbeats.read();
    expect(bad.asked).toBe(before + 1);
  });

  test('are not sent behind one that is still on its way', async () => {
    const place = new Place();
    place.answers = 'keeps silent';
    const heartbeats = new Heartbeats([place]);
    await Promise.all(Array.from({ length: 20 }, () => heartbeats.write(apiBeat('a'))));
    expect(place.asked).toBe(1);
  });
});

describe('a process', () => {
  const about = { version: '1.2.3', commit: 'abc', instance: 'a', startedAt: '2026-01-01T00:00:00.000Z' };

  function sending(over: Partial<ConstructorParameters<typeof HeartbeatSender>[0]> = {}) {
    const place = new Place();
    const lifecycle = new Lifecycle();
    const { counts } = apiBeat('a');
    const sender = new HeartbeatSender({
      ...{ about, lifecycle, heartbeats: new Heartbeats([place]) },
      work: async () => ({ process: 'api', counts }),
      stores: async () => [
        { store: 'queue', away: true },
        { store: 'ledger', away: false },
      ],
      ...over,
    });
    const told = () => readHeartbeat(place.kept[0]?.heartbeat ?? '');
    return { place, lifecycle, sender, told };
  }

  test('tells its state at once when that changes, with a number that grows, and at the end that it has stopped', async () => {
    const { place, lifecycle, sender, told } = sending();
    await until(() => told()?.state === 'starting');
    lifecycle.ready();
    await until(() => told()?.state === 'ready');
    const { beat } = told() ?? { beat: NaN };
    await until(() => (told()?.beat ?? 0) > beat);
    expect(told()).toMatchObject({
      instance: 'a',
      process: 'api',
      startedAt: 1_767_225_600_000,
      away: ['queue'],
    });
    lifecycle.stop('SIGTERM');
    await until(() => told()?.state === 'draining');
    await sender[Symbol.asyncDispose]();
    expect(told()?.state).toBe('stopped');
    const { asked } = place;
    lifecycle.stopped();
    await turn();
    expect(place.asked).toBe(asked);
  });

  test('waits for no clock to tell that its state has changed', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const { lifecycle, sender, told } = sending();
    await turn();
    lifecycle.ready();
    await turn();
    expect(told()?.state).toBe('ready');
    lifecycle.stop('SIGTERM');
    await turn();
    expect(told()?.state).toBe('draining');
    await sender[Symbol.asyncDispose]();
  });

  test('ends in time when no place answers, and when a store does not say how it is', async () => {
    const stores = latch<never>();
    const { place, sender, told } = sending({ stores: () => stores.promise });
    await until(() => told() !== undefined);
    expect(told()?.away).toEqual([]);
    place.answers = 'keeps silent';
    await sender[Symbol.asyncDispose]();
    expect(sender.latest?.state).toBe('stopped');
  });

  test('tells no more of a commit than others will read', async () => {
    const { sender, told } = sending({ about: { ...about, commit: 'c'.repeat(500) } });
    await until(() => told() !== undefined);
    expect(told()?.commit).toBe('c'.repeat(128));
    await sender[Symbol.asyncDispose]();
  });
});
