import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { say } from './commands.js';
import { chaosMs, rounds } from './options.js';
import { Release } from './release.js';
import { dump, Report } from './report.js';
import { chaos } from './scenes/chaos.js';
import { deploys } from './scenes/deploys.js';
import { install } from './scenes/install.js';
import { kills } from './scenes/kills.js';
import { rollback } from './scenes/rollback.js';
import { reinstall } from './scenes/reinstall.js';

/** One release, from its first install to its last trace. Each scene goes on where the one before has left it. */
export interface Story {
  readonly release: Release;
  readonly report: Report;
}

let release: Release;
const report = new Report();
const story = (): Story => ({ release, report });

beforeAll(async () => {
  release = await Release.open();
});

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await dump(release.namespace);
});

afterAll(async () => {
  say(`what was seen\n\n${report.text}\n`);
  await release[Symbol.asyncDispose]();
});

describe('an install', () => install(story));
describe(`${rounds} rounds of deploys under load`, () => deploys(story, rounds));
describe('kills under load', () => kills(story));
describe('a broken upgrade under load', () => rollback(story));
describe(`chaos for ${chaosMs / 1_000} s under load`, () => chaos(story, chaosMs));
describe('an uninstall', () => reinstall(story));
