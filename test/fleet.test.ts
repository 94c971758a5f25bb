import { describe, expect, test } from 'vitest';
import { Fleet, type FleetOptions } from '../src/drill/processes/fleet.js';

/** Listens, says so, and ends on SIGTERM with a receipt. */
const SCRIPT = `
  import { createServer } from 'node:http';
  const say = (line) => console.log(JSON.stringify(line));
  const server = createServer((request, response) => response.end());
  server.listen(Number(process.env.PORT), '127.0.0.1', () => {
    const { port } = server.address();
    say({ msg: 'ready', instance: 'script-' + process.pid, port, adminPort: port });
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
  const names = [fleet.running[0]?.instance];
  await fleet.roll();
  names.push(fleet.running[0]?.instance);
  return { names, readyAtStart, ended: [...fleet.ended] };
}

describe('a fleet of another program', () => {
  test('is rolled as one of Tally is: a new process is ready, then the old one is asked to end', async () => {
    const { names, readyAtStart, ended } = await rollOf({});
    expect(names[0]).toMatch(/^script-/);
    expect(names[1]).not.toBe(names[0]);
    expect(readyAtStart).toEqual([true, true]);
    expect(ended).toMatchObject([{ instance: names[0], why: 'asked', ending: { code: 0, signal: null } }]);
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
