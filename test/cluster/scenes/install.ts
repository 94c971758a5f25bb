import { expect, test } from 'vitest';
import { attempt, say } from '../commands.js';
import { Shell, commandsIn } from '../notes.js';
import type { Story } from '../story.js';

/** What NOTES.txt calls the last: the data is still wanted. */
const CLEANING = / delete pvc,secret /;

/** `helm install` of the default values, and what its notes tell to do. */
export function install(story: () => Story): void {
  test('of the default values is complete when helm says so, in a namespace of restricted pods', async () => {
    const { release } = story();
    const privileged = ['run', 'root', '--image=busybox:1', '--restart=Never'];
    const refused = await attempt('kubectl', ['--namespace', release.namespace, ...privileged]);
    expect(refused.stderr).toContain('violates PodSecurity "restricted:latest"');
    await release.install();
    const pods = await release.pods();
    expect(pods.map(({ component }) => component).sort()).toEqual(
      ['api', 'api', 'influxdb', 'postgres', 'redis', 'worker', 'worker'].sort(),
    );
    expect(pods.filter(({ ready }) => !ready)).toEqual([]);
  });

  test('tells commands that do what it says, typed as they stand', async () => {
    const { release } = story();
    using shell = new Shell();
    const commands = commandsIn(await release.helm('get', 'notes', 'tally'));
    const said = new Map<string, string>();
    for (const command of commands.filter((one) => !CLEANING.test(one))) {
      say(`$ ${command}`);
      said.set(command, await shell.type(command));
    }
    const answerTo = (part: string) =>
      [...said].find(([command]) => command.includes(part))?.[1] ?? `no command has ${part}`;
    expect(answerTo('curl')).toMatch(/^HTTP\/1\.1 200 OK[^]*"result":10/);
    expect(answerTo('tally count')).toMatch(/^\d+\n$/);
    expect(answerTo('tally audit')).toContain('Balanced');
    expect(answerTo('rollout status')).toContain('successfully rolled out');
    expect(answerTo('delete pod')).toContain('force deleted');
    expect(answerTo('helm')).toMatch(/Phase:\s+Succeeded[^]*counted: \d+ in all/);
  });
}
