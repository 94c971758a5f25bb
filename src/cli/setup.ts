import { setTimeout as delay } from 'node:timers/promises';
import { createBucket } from '../shared/bucket.js';
import { INFLUX_VARIABLES, readVariables } from '../shared/configuration.js';
import { SECOND } from '../shared/duration.js';
import { Influx } from '../shared/influx.js';
import { durationOption } from './options.js';
import type { Command } from './command.js';

export const setup: Command = {
  name: 'setup',
  summary: 'make what Tally needs in its stores; safe to repeat',
  help: `Makes the InfluxDB bucket (on 1.x and 3.x the database) if it is missing, and leaves it alone if it is there.

Options:
  --wait D   keep trying for as long as this while InfluxDB does not answer (default 0s)

Example:
  tally setup --wait 30s`,
  options: { wait: { type: 'string' } },
  async run(values, { env, print }) {
    const config = readVariables(INFLUX_VARIABLES, env);
    const deadline = Date.now() + (durationOption('wait', values['wait']) ?? 0);
    using influx = new Influx(config);
    const { version } = await answersBy(deadline, influx);
    const created = await createBucket(influx, config);
    const bucket = config.INFLUX_BUCKET;
    const text = `InfluxDB ${version}: ${bucket} ${created ? 'made' : 'is there already'}`;
    print(text, { influx: { version, bucket, created } });
    return 0;
  },
};

async function answersBy(deadline: number, influx: Influx) {
  for (;;) {
    try {
      return await influx.server();
    } catch (error) {
      if (Date.now() >= deadline) throw error;
      await delay(SECOND / 2);
    }
  }
}
