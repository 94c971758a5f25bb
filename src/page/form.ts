import { element, mark, write } from './element.js';
import { section } from './panel.js';
import { instanceOf, newRequestId, postSum } from './questions.js';
import { milliseconds } from './words.js';

const ASK_AGAIN_MS = 250;

type StateOfOperation = 'accepted' | 'logged' | 'quarantined';

const ENDS: readonly (StateOfOperation | undefined)[] = ['logged', 'quarantined'];

/** Sends numbers, and follows the operation by its id from accepted to logged. */
export function form(): HTMLElement {
  const numbers = element('input', {
    ...{ id: 'numbers', name: 'numbers', value: '1, 2, 3, 4', autocomplete: 'off', spellcheck: 'false' },
    'aria-describedby': 'numbers-hint',
  });
  const requestId = element('input', {
    ...{ id: 'request-id', name: 'request-id', autocomplete: 'off', spellcheck: 'false' },
    placeholder: 'X-Request-Id',
  });
  const followed = new Followed();
  const made = element(
    'form',
    {},
    element('label', { for: 'numbers' }, 'Numbers'),
    element('div', { class: 'fields' }, numbers, element('button', {}, 'Sum them')),
    element('label', { for: 'request-id' }, 'Request id (optional)'),
    element('div', { class: 'fields' }, requestId),
    followed.root,
  );
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    void followed.send(numbers.value, requestId.value);
  });
  const words = {
    title: 'Follow an operation',
    from: 'POST /sum, and then GET /operations/{id} until it is logged; times as this browser sees them.',
  };
  return section('form', words, made);
}

/** The operation that was sent last. */
class Followed {
  readonly #said = element('p', { class: 'said' }, 'Nothing was sent yet.');
  readonly #id = element('code', {});
  readonly #request = element('p', { class: 'small-print' });
  readonly #accepted = element('li', {}, 'accepted');
  readonly #logged = element('li', {}, 'logged');
  readonly root = element(
    'div',
    { class: 'followed', 'aria-live': 'polite' },
    this.#said,
    this.#id,
    this.#request,
    element('ol', { class: 'steps' }, this.#accepted, this.#logged),
  );
  #latest = 0;

  async send(numbers: string, requestId: string): Promise<void> {
    const mine = ++this.#latest;
    this.#say('Sent.', '');
    const parts = numbers.split(/[\s,;]+/).filter((part) => part !== '');
    const wrong = parts.filter((part) => !Number.isFinite(Number(part)));
    if (wrong.length > 0) return this.#say(`Not a number: ${wrong.join(', ')}`, 'bad');
    const sentAt = performance.now();
    const asked = requestId === '' ? newRequestId() : requestId;
    try {
      const sum = await postSum(parts.map(Number), { headers: { 'X-Request-Id': asked } });
      if (mine !== this.#latest) return;
      this.#say(`The sum is ${sum.result}.`, '', sum.id);
      write(this.#request, requestWords(asked, sum.requestId));
      const took = milliseconds(performance.now() - sentAt);
      this.#step(this.#accepted, `accepted by ${instanceOf(sum.id)} after ${took}`, 'good');
      this.#step(this.#logged, 'waiting to be logged', 'waiting');
      await this.#follow(mine, sum.id, sentAt);
    } catch (error) {
      if (mine === this.#latest) this.#say(`Not accepted: ${(error as Error).message}`, 'bad');
    }
  }

  async #follow(mine: number, id: string, sentAt: number): Promise<void> {
    let state: StateOfOperation | undefined;
    while (mine === this.#latest && !ENDS.includes(state)) {
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      state = await look(id);
    }
    if (mine !== this.#latest) return;
    const took = milliseconds(performance.now() - sentAt);
    this.#step(this.#logged, `${state} after ${took}`, state === 'logged' ? 'good' : 'bad');
  }

  #say(words: string, state: string, id = ''): void {
    write(this.#said, words);
    mark(this.#said, 'state', state);
    write(this.#id, id);
    write(this.#request, '');
    this.#step(this.#accepted, 'accepted', '');
    this.#step(this.#logged, 'logged', '');
  }

  #step(step: HTMLElement, words: string, state: string): void {
    write(step, words);
    mark(step, 'state', state);
  }
}

function requestWords(asked: string, taken: string): string {
  return asked === taken
    ? `Request id ${taken}`
    : `The request id ${asked} is not allowed; the API took ${taken}`;
}

/** `undefined` while nobody can tell. */
async function look(id: string): Promise<StateOfOperation | undefined> {
  try {
    const answer = await fetch(`operations/${encodeURIComponent(id)}`, { cache: 'no-store' });
    const { state } = (await answer.json()) as { readonly state?: StateOfOperation };
    return answer.status === 200 ? state : undefined;
  } catch {
    return undefined;
  }
}
