import { QUEUE_NAME } from './operation-queue.js';
import { parseRedisAddress } from './redis-address.js';

/**
 * Where each shard's keys lie among the 16,384 slots of a Redis Cluster. However many shards there are, n, the first n
 * lie in different n-ths, so that n nodes with equal parts have one each, and a number that never changes.
 */
const SLOTS = [
  512, 8_879, 12_673, 4_419, 14_450, 6_924, 10_333, 2_263, 15_872, 5_656, 11_523, 3_394, 7_919, 13_678, 1_570,
  9_728,
] as const;

/** Each of them is at least twice as far from the end of its n-th. */
const SLOT_TOLERANCE = 24;

export const MAX_SHARDS = SLOTS.length;

/** The queue, of however many shards. */
export interface QueueAddress {
  readonly url: string;
  /** The first part of all its keys. */
  readonly prefix: string;
}

/** A BullMQ queue in Redis. */
export interface QueueName extends QueueAddress {
  readonly name: string;
}

/** A queue beside the shards, such as that for quarantine. */
export function queueBeside(queue: QueueAddress, name: string): QueueName {
  return { ...queue, prefix: prefixOf(queue, 0), name };
}

/** The nth of the queue's shards, from 0 on. */
export function shardOf(queue: QueueAddress, shard: number): QueueName {
  const name = shard === 0 ? QUEUE_NAME : `${QUEUE_NAME}-${shard}`;
  return { ...queue, prefix: prefixOf(queue, shard), name };
}

/** In a cluster the keys of a shard are in one slot, that of the hash tag in their braces. */
function prefixOf({ url, prefix }: QueueAddress, shard: number): string {
  return parseRedisAddress(url).kind === 'cluster' ? `{${tagOf(prefix, shard)}}` : prefix;
}

/** Braces that someone put into the prefix would bring all shards into one slot. */
function tagOf(prefix: string, shard: number): string {
  const stem = `${prefix.replaceAll(/[{}]/g, '')}-${shard}`;
  const wanted = SLOTS[shard] ?? 0;
  for (let n = 0; ; n++) {
    const tag = `${stem}-${n}`;
    if (Math.abs(keySlot(tag) - wanted) <= SLOT_TOLERANCE) return tag;
  }
}

/** As `CLUSTER KEYSLOT`: the lower 14 bits of CRC-16/XMODEM. */
function keySlot(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc & 0x3fff;
}
