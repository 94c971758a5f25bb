import { parseDuration } from '../../src/shared/duration.js';
import { version } from './chart.js';

/** What `npm run test:cluster` was asked for. */
export const rounds = Number(process.env['TALLY_CLUSTER_ROUNDS'] ?? 5);
export const chaosMs = parseDuration(process.env['TALLY_CLUSTER_CHAOS'] ?? '5m') ?? 0;
export const requestsPerSecond = Number(process.env['TALLY_CLUSTER_RATE'] ?? 100);
export const keep = process.env['TALLY_CLUSTER_KEEP'] === 'true';

/** The image of Tally that the cluster's nodes have or can pull. */
export const image = process.env['TALLY_IMAGE'] ?? `tally:${version}`;

/** The options of Helm that say which image it is. */
export function imageValues(name = image): string[] {
  const [, repository = name, tag = '', digest = ''] =
    /^(.*?)(?::([\w.-]+))?(?:@(sha256:\w+))?$/.exec(name) ?? [];
  return [`image.repository=${repository}`, `image.tag=${tag}`, `image.digest=${digest}`].flatMap((value) => [
    '--set-string',
    value,
  ]);
}
