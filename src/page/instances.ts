import type { LiveInstance, LiveState } from '../shared/live.js';
import { element, mark, write } from './element.js';
import { KnownInstances } from './known.js';
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
  const known = new KnownInstances();
  const body = element('tbody');
  const heads = ['State', 'Instance', 'Operations'];
  const head = element('tr', {}, ...heads.map((name) => element('th', { scope: 'col' }, name)));
  const table = element('table', {}, element('thead', {}, head), body);

  const show = ({ instances: told, at }: LiveState) => {
    const all = known.with(told);
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
  const state = element('b');
  const seen = element('span', { class: 'small-print' });
  const dot = element('i', { class: 'swatch block' });
  const about = element('span', { class: 'small-print' });
  const operations = element('span');
  const others = element('span', { class: 'small-print' });
  const root = element(
    'tr',
    {},
    element('td', { class: 'state' }, state, seen),
    element('td', { class: 'who' }, element('b', {}, name), element('span', {}, dot, about)),
    element('td', { class: 'operations' }, operations, others),
  );
  return {
    root,
    show: (instance, now) => {
      const version = versions.learn(name, instance.version, instance.commit);
      dot.style.color = `var(${version.colour})`;
      write(state, `${SIGNS[instance.state]} ${instance.state}`);
      write(seen, ago(now - instance.lastSeenAt));
      write(about, `${instance.process === 'api' ? 'API' : 'worker'} · ${version.name}`);
      const [done, otherwise] = operationsOf(instance);
      write(operations, done);
      write(others, otherwise);
      mark(root, 'instance', name);
      mark(root, 'state', instance.state);
      mark(root, 'news', newsOf(instance, now));
    },
  };
}

function operationsOf(instance: LiveInstance): readonly [done: string, otherwise: string] {
  const { process, accepted = 0, refused = 0, logged = 0, quarantined = 0 } = instance;
  return process === 'api'
    ? [`${count(accepted)} accepted`, refused > 0 ? `${count(refused)} refused` : '']
    : [`${count(logged)} logged`, quarantined > 0 ? `${count(quarantined)} quarantined` : ''];
}

function newsOf({ state, startedAt, lastSeenAt }: LiveInstance, now: number): 'came' | 'left' | '' {
  if (state === 'gone' || state === 'stopped') return now - lastSeenAt < NEWS_MS ? 'left' : '';
  return now - startedAt < NEWS_MS ? 'came' : '';
}
