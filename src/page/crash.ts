import { element, mark, write } from './element.js';
import { section } from './panel.js';

const REFUSALS: Readonly<Record<number, string>> = {
  401: 'That is not CHAOS_TOKEN: nothing happened.',
  404: 'The instance that answered takes no CHAOS_TOKEN: nothing happened.',
  429: 'Tokens may be tried once a second: try again in a moment.',
};

/** Ends the instance that answers as `kill -9` does. The token is sent, and kept nowhere. */
export function crash(): HTMLElement {
  const token = element('input', {
    ...{ type: 'password', id: 'token', name: 'token', autocomplete: 'off', required: '' },
    spellcheck: 'false',
  });
  const said = element('output', { class: 'said', for: 'token', 'aria-live': 'polite' });
  const form = element(
    'form',
    {},
    element('label', { for: 'token' }, 'CHAOS_TOKEN'),
    element(
      'div',
      { class: 'fields' },
      token,
      element('button', { class: 'danger' }, 'Crash the instance that answers'),
    ),
    said,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    write(said, 'Asked.');
    void ask(token.value).then(({ words, crashed }) => {
      write(said, words);
      mark(said, 'state', crashed ? 'bad' : 'unknown');
    });
  });
  const words = {
    title: 'Crash',
    from: 'POST /crash ends one API process as kill -9 does, in the middle of whatever it does.',
  };
  return section('crash', words, form);
}

/**
 * Wants an answer before the crash: browsers send again what broke without one on a connection that they had used before,
 * and so it would be another instance's turn.
 */
async function ask(token: string): Promise<{ readonly words: string; readonly crashed: boolean }> {
  const headers = { Authorization: `Bearer ${token}`, Prefer: 'respond-async' };
  try {
    const answer = await fetch('crash', { method: 'POST', headers, cache: 'no-store' });
    if (answer.status !== 202) {
      const words = REFUSALS[answer.status] ?? `It was answered with ${answer.status}: nothing is known.`;
      return { words, crashed: false };
    }
    const { instance } = (await answer.json()) as { readonly instance: string };
    return { words: `${instance} crashed. Whether anything is missing is above.`, crashed: true };
  } catch {
    return { words: 'There was no answer: nothing is known.', crashed: false };
  }
}
