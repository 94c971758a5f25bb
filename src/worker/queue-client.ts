import { createIORedisClient } from 'bullmq';
import type { RedisConnection } from '../shared/redis.js';

/**
 * BullMQ's client on this connection, whose lists say at once that they are no numbers. BullMQ asks whether what
 * completing a job answered is below 0, for that is an error; when it is the next job instead, JavaScript would make one
 * text of all its lines to find out, twice.
 */
export function openQueueClient(redis: RedisConnection): ReturnType<typeof createIORedisClient> {
  const client = createIORedisClient(redis);
  const run = client.runCommand.bind(client);
  client.runCommand = async (name, args) => {
    const answer: unknown = await run(name, args);
    return Array.isArray(answer) ? Object.assign(answer, { [Symbol.toPrimitive]: notANumber }) : answer;
  };
  return client;
}

const notANumber = () => NaN;
