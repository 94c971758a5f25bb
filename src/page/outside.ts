import { Asking, type Ask } from './asking.js';
import type { Colours } from './colours.js';
import { element, mark, write } from './element.js';
import { section } from './panel.js';
import { Strip } from './strip.js';
import type { Versions } from './versions.js';
import { clock, count } from './words.js';

const FROM =
  'This browser asks POST /sum (upper half) and GET /version (lower half) four times a second each, over the address of this page. Its sums are operations as any others: they are logged and counted.';

const NAMES = { sum: 'POST /sum', version: 'GET /version' } as const;

/** The service as its callers see it. */
export class Outside {
  readonly root: HTMLElement;
  readonly #asking: Asking;
  readonly #versions: Versions;
  readonly #strip: Strip;
  readonly #legend = element('ul', { class: 'legend' });
  readonly #detail = element('p', { class: 'detail' });
  readonly #state = element('span', { class: 'soft', role: 'status' });
  readonly #button = element('button', { type: 'button' }, 'Pause');
  #asked: 'go on' | 'pause' = 'go on';
  #pointed: Ask | undefined;

  constructor(versions: Versions, colours: Colours) {
    this.#versions = versions;
    this.#asking = new Asking(versions);
    this.#strip = new Strip(this.#asking, versions, colours);
    const controls = element('div', { class: 'controls' }, this.#state, this.#button);
    this.root = section(
      'outside',
      { title: 'Seen from outside', from: FROM },
      controls,
      this.#strip.root,
      this.#legend,
      this.#detail,
    );
    this.#button.addEventListener('click', () => {
      this.#asked = this.#asked === 'pause' ? 'go on' : 'pause';
      this.#turn();
    });
    document.addEventListener('visibilitychange', () => this.#turn());
    this.#strip.root.addEventListener('pointermove', ({ offsetX, offsetY }) => {
      this.#pointed = this.#strip.at(offsetX, offsetY);
    });
    this.#strip.root.addEventListener('pointerleave', () => (this.#pointed = undefined));
    this.#turn();
  }

  draw(): void {
    if (document.hidden) return;
    this.#strip.draw();
    this.#writeLegend();
    const { latestFault } = this.#asking;
    const told = this.#pointed ?? latestFault;
    const before = this.#pointed || !latestFault ? '' : 'Latest error or gap: ';
    write(
      this.#detail,
      told ? `${before}${wordsOf(told)}` : 'No error and no gap since this page was opened.',
    );
  }

  /** Nobody looks at a hidden tab, and browsers slow it down: what it measures is worth nothing. */
  #turn(): void {
    const hidden = document.hidden;
    if (hidden || this.#asked === 'pause') this.#asking.pause();
    else this.#asking.start();
    write(this.#button, this.#asked === 'pause' ? 'Go on' : 'Pause');
    write(
      this.#state,
      hidden ? 'Paused while this tab is hidden' : this.#asking.paused ? 'Paused' : 'Asking',
    );
  }

  #writeLegend(): void {
    const { errors, gaps } = this.#asking;
    const entries = [
      ...[...this.#answersByVersion()].map(([name, { answers, colour }]) => ({
        name,
        kind: 'block',
        colour,
        words: count(answers),
        state: '',
      })),
      {
        name: 'errors',
        kind: 'cross',
        colour: '--red',
        words: count(errors),
        state: errors > 0 ? 'bad' : '',
      },
      {
        name: 'gaps over 1 s',
        kind: 'hollow',
        colour: '--amber',
        words: count(gaps),
        state: gaps > 0 ? 'warning' : '',
      },
    ];
    for (const [index, { name, kind, colour, words, state }] of entries.entries()) {
      const place = (this.#legend.children[index] ?? this.#legend.appendChild(newEntry())) as HTMLElement;
      const [swatch, label, value] = place.children as unknown as readonly HTMLElement[];
      if (!swatch || !label || !value) continue;
      swatch.className = `swatch ${kind}`;
      swatch.style.color = `var(${colour})`;
      write(label, name);
      write(value, words);
      mark(place, 'state', state);
    }
  }

  #answersByVersion(): Map<string, { readonly answers: number; readonly colour: string }> {
    const found = new Map<string, { answers: number; colour: string }>();
    for (const [instance, answers] of this.#asking.answers) {
      const { name, colour } = this.#versions.of(instance) ?? { name: 'not known yet', colour: '--soft' };
      found.set(name, { answers: (found.get(name)?.answers ?? 0) + answers, colour });
    }
    return found;
  }
}

const newEntry = () => element('li', {}, element('i'), element('span'), element('b'));

const wordsOf = ({ lane, sentAt, words = 'waiting' }: Ask) => `${clock(sentAt)} ${NAMES[lane]}: ${words}`;
