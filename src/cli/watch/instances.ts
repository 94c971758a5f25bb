import type { SeenInstance, ServiceView } from './service.js';
import type { Line, Span } from './styled.js';
import { seconds, thousands } from './words.js';

/** Columns of names: a version at the most, an instance at the least, and all that is beside them. */
const LONGEST_VERSION = 30;
const LEAST_NAME = 12;
const OTHER_COLUMNS = 8 + 10 + 18 + 6 + 2;

/** A title, and a line for each instance. */
export function drawInstances({ instances }: ServiceView, width: number): Line[] {
  if (instances.length === 0) return [];
  const longest = (of: (seen: SeenInstance) => string) =>
    Math.max(...instances.map((seen) => of(seen).length));
  const versions =
    Math.min(
      LONGEST_VERSION,
      longest(({ version }) => version),
    ) + 2;
  const room = Math.max(LEAST_NAME, width - versions - OTHER_COLUMNS);
  const names =
    Math.max(
      'instance'.length,
      Math.min(
        room,
        longest(({ instance }) => instance),
      ),
    ) + 2;
  const title = `${'process'.padEnd(8)}${'instance'.padEnd(names)}${'version'.padEnd(versions)}${'state'.padEnd(10)}`;
  return [
    [['faint', `${title}${'operations'.padEnd(18)}seen ago`]],
    ...instances.map((seen): Line => {
      const { process, instance, version, state, seenMs } = seen;
      return [
        `${process.padEnd(8)}${lastOf(instance, names - 2).padEnd(names)}`,
        version.slice(0, versions - 2).padEnd(versions),
        drawState(state),
        `${drawOperations(seen).padEnd(18)}${seconds(Math.max(0, seenMs))}`,
      ];
    }),
  ];
}

/** What tells instances apart stands at the end of their names. */
function lastOf(text: string, columns: number): string {
  return text.length <= columns ? text : `~${text.slice(text.length - columns + 1)}`;
}

function drawOperations({ accepted, logged }: SeenInstance): string {
  if (accepted !== undefined) return `${thousands(accepted)} accepted`;
  return logged === undefined ? '' : `${thousands(logged)} logged`;
}

function drawState(state: string): Span {
  const text = state.padEnd(10);
  if (state === 'ready') return ['good', text];
  return state === 'gone' ? ['bad', text] : ['strong', text];
}
