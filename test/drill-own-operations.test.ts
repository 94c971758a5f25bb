import { expect, test } from 'vitest';
import { OwnOperations, resultsFrom } from '../src/drill/clients/own-operations.js';
import { Random } from '../src/drill/clients/random.js';
import { RequestRecord } from '../src/drill/clients/record.js';
import { readOperationId } from '../src/shared/operation.js';
import { type InfluxBucket, lineAt } from './influx-bucket.js';
import { useStores } from './use-stores.js';

let bucket: InfluxBucket;
useStores((stores) => ({ bucket } = stores));

test('an operation that was stored and never answered does not stand in for one that is still missing', async () => {
  const record = new RequestRecord(resultsFrom(new Random(1)));
  const [answered, cut] = [record.send(), record.send()];
  const at = String(BigInt(Date.now()) * 1_000_000n);
  record.acknowledge(answered, `${at}-i`, answered);
  const route = { endpoint: undefined, earlier: 0, idleMs: 0 };
  record.fail({ serial: cut, client: 'busy', kind: 'reset', reason: 'ECONNRESET', ...route });
  const own = new OwnOperations(bucket.influx, record);
  await bucket.write([lineAt(1, { result: record.base + cut })]);
  expect(await own.loggedUntil(Date.now(), 100)).toBe(false);
  await bucket.write([lineAt(0, { ...readOperationId(`${at}-i`), result: record.base + answered })]);
  expect(await own.loggedUntil(Date.now(), 100)).toBe(true);
});
