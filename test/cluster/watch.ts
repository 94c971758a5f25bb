import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A pod of the release that was killed without grace, and for how long its component had no ready pod since. */
export interface Kill {
  readonly component: string;
  readonly pod: string;
  readonly atMs: number;
  /** When a pod of the component was ready again; `Infinity` while none is. */
  readonly backMs: number;
}

interface Known {
  readonly component: string;
  readonly ready: boolean;
}

const FIELDS = [
  '.type',
  '.object.metadata.name',
  '.object.metadata.labels.app\\.kubernetes\\.io/component',
  '.object.metadata.deletionTimestamp',
  '.object.metadata.deletionGracePeriodSeconds',
  '.object.status.conditions[?(@.type=="Ready")].status',
];

/** Sees the pods of a namespace come and go. */
export class PodWatch implements Disposable {
  readonly #pods = new Map<string, Known>();
  readonly #kills: Kill[] = [];
  readonly #namespace: string;
  #child: ChildProcess;
  #closed = false;

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#child = this.#start();
  }

  get kills(): readonly Kill[] {
    return this.#kills;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#child.kill();
  }

  #start(): ChildProcess {
    // kubectl would align what tabs separate.
    const line = FIELDS.map((field) => `{${field}}`).join('{"|"}');
    const child = spawn(
      'kubectl',
      [
        ...['--namespace', this.#namespace, 'get', 'pods', '--watch', '--output-watch-events'],
        ...['--output', `jsonpath=${line}{"\\n"}`],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    createInterface({ input: child.stdout }).on('line', (text) => this.#see(text.split('|')));
    // The server ends every watch some day.
    child.once('exit', () => {
      if (!this.#closed) this.#child = this.#start();
    });
    return child;
  }

  #see([type, pod = '', component = '', deletion = '', grace = '', ready = '']: readonly string[]): void {
    const now = Date.now();
    const known = this.#pods.get(pod) ?? { component, ready: false };
    const leaving = deletion !== '';
    // At its end every pod has no grace left; who was asked to leave was seen leaving before, a Job's has ended.
    if (leaving && known.ready && grace === '0')
      this.#kills.push({ component, pod, atMs: now, backMs: Infinity });
    else if (ready === 'True' && !leaving && !known.ready) this.#back(component, now);
    if (type === 'DELETED') this.#pods.delete(pod);
    else this.#pods.set(pod, { component, ready: ready === 'True' && !leaving });
  }

  #back(component: string, now: number): void {
    for (const [index, kill] of this.#kills.entries())
      if (kill.component === component && kill.backMs === Infinity)
        this.#kills[index] = { ...kill, backMs: now };
  }
}
