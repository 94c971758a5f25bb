import type { LiveInstance, LiveState } from '../shared/live.js';
import { element, mark, write } from './element.js';
import { section, type Panel } from './panel.js';
import type { Versions } from './versions.js';
import { ago, count } from './words.js';

/** How long one that came or went stands out. */
const NEWS_MS = 15_000;

/** Each state has a sign of its own, for who cannot tell colours apart. */
const SIGNS = { starting: '○', ready: '●', draining: '◐', stopped: '◌', gone: '✕' } as const;

interface Row {
  readonly root: HTMLTableRowElement;
  readonly show: (instance: LiveInstance, now: number) => void;
}

/** The processes of API and worker as they come and go, of the whole deployment. */
export function instances(versions: Versions): Panel<LiveState> {
  const rows = new Map<string, Row>();
  const body = element('tbody');
  const heads = ['State', 'Instance', 'Operations', 'Last seen'];
  const head = element('tr', {}, ...heads.map((name) => element('th', { scope: 'col' }, name)));
  const table = element('table', {}, element('thead', {}, head), body);

  const show = ({ instances: all, at }: LiveState) => {
    for (const instance of all) {
      const { instance: name } = instance;
      const row = rows.get(name) ?? newRow(name, versions);
      rows.set(name, row);
      row.show(instance, at);
    }
    const names = new Set(all.map(({ instance }) => instance));
    for (const [name] of rows) if (!names.has(name)) rows.delete(name);
    const wanted = all.flatMap(({ instance }) => rows.get(instance)?.root ?? []);
    if (wanted.length !== body.children.length || wanted.some((row, index) => body.children[index] !== row))
      body.replaceChildren(...wanted);
  };
  const words = {
    title: 'Instances',
    from: 'Each process says twice a second, through Redis and Postgres, how it is; operations since its start.',
  };
  return { root: section('instances', words, element('div', { class: 'scroll' }, table)), show };
}

function newRow(name: string, versions: Versions): Row {
  const state = element('td', { class: 'state' });
  const dot = element('i', { class: 'swatch block' });
  const about = element('span', { class: 'small-print' });
  const operations = element('td', { class: 'number' });
  const seen = element('td', { class: 'number' });
  const who = element('td', { class: 'who' }, element('b', {}, name), element('br'), dot, about);
  const root = element('tr', {}, state, who, operations, seen);
  return {
    root,
    show: (instance, now) => {
      const version = versions.learn(name, instance.version, instance.commit);
      dot.style.color = `var(${version.colour})`;
      write(state, `${SIGNS[instance.state]} ${instance.state}`);
      write(about, `${instance.process === 'api' ? 'API' : 'worker'} · ${version.name}`);
      write(operations, operationsOf(instance));
      write(seen, ago(now - instance.lastSeenAt));
      mark(root, 'instance', name);
      mark(root, 'state', instance.state);
      mark(root, 'news', newsOf(instance, now));
    },
  };
}

function operationsOf({
  process,
  accepted = 0,
  refused = 0,
  logged = 0,
  quarantined = 0,
}: LiveInstance): string {
  const [done, otherwise, what] =
    process === 'api'
      ? [`${count(accepted)} accepted`, refused, 'refused']
      : [`${count(logged)} logged`, quarantined, 'quarantined'];
  return otherwise > 0 ? `${done}, ${count(otherwise)} ${what}` : done;
}

function newsOf({ state, startedAt, lastSeenAt }: LiveInstance, now: number): 'came' | 'left' | '' {
  if (state === 'gone' || state === 'stopped') return now - lastSeenAt < NEWS_MS ? 'left' : '';
  return now - startedAt < NEWS_MS ? 'came' : '';
}
