import { describe, expect, test } from 'vitest';
import { Fleet, type FleetOptions } from '../src/drill/processes/fleet.js';

/** Listens, says so, and ends on SIGTERM with a receipt. */
const SCRIPT = `
  import { createServer } from 'node:http';
  const say = (line) => console.log(JSON.stringify(line));
  const server = createServer((request, response) => response.end());
  server.listen(Number(process.env.PORT), '127.0.0.1', () => {
    const { port } = server.address();
    const release = process.env.TALLY_COMMIT;
    say({ msg: 'ready', instance: 'script-' + process.pid, port, adminPort: port, release });
  });
  process.once('SIGTERM', () => {
    say({ msg: 'receipt', unaccounted: 0 });
    process.exit();
  });
`;

/** Starts one, replaces it in a rolling update, and resolves with what was seen. */
async function rollOf(options: Partial<FleetOptions>) {
  const readyAtStart: boolean[] = [];
  await using fleet = await Fleet.start({
    ...{ kind: 'api', env: { ADMIN_PORT: '0' }, replicas: 1, minReadyMs: 0 },
    program: ['--input-type=module', '--eval', SCRIPT],
    onStart: ({ log }) => void readyAtStart.push(log.some(({ msg }) => msg === 'ready')),
    ...options,
  });
  const seen = () => ({
    name: fleet.running[0]?.instance,
    release: fleet.running[0]?.log.at(-1)?.['release'],
  });
  const before = seen();
  await fleet.roll();
  return { before, after: seen(), readyAtStart, ended: [...fleet.ended] };
}

describe('a fleet of another program', () => {
  test('is rolled as one of Tally is: a new process is ready, then the old one is asked to end', async () => {
    const { before, after, readyAtStart, ended } = await rollOf({});
    expect(before).toEqual({ name: expect.stringMatching(/^script-/) as string, release: 'release-1' });
    expect(after).toEqual({ name: expect.stringMatching(/^script-/) as string, release: 'release-2' });
    expect(after.name).not.toBe(before.name);
    expect(readyAtStart).toEqual([true, true]);
    expect(ended).toMatchObject([{ instance: before.name, why: 'asked', ending: { code: 0, signal: null } }]);
    expect(ended[0]?.ending.receipt).toMatchObject({ unaccounted: 0 });
  });

  test('is ended with SIGKILL where that is asked for, and leaves no receipt', async () => {
    const { ended } = await rollOf({ stopSignal: 'SIGKILL' });
    expect(ended).toMatchObject([{ why: 'asked', ending: { signal: 'SIGKILL', receipt: undefined } }]);
  });

  test('counts as ready from its start where nobody asks for readiness', async () => {
    const { readyAtStart, ended } = await rollOf({ unprobed: true });
    expect(readyAtStart).toEqual([false, false]);
    expect(ended).toHaveLength(1);
  });
});
