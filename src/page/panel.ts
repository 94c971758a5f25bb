import { element } from './element.js';

/** A part of the page, and how it is told what to show. */
export interface Panel<Told> {
  readonly root: HTMLElement;
  readonly show: (told: Told) => void;
}

/** A part with its heading, and a line of small print that says where its numbers come from. */
export function section(
  name: string,
  { title, from }: { readonly title: string; readonly from: string },
  ...children: readonly (Node | string)[]
): HTMLElement {
  const heading = element('h2', { id: `${name}-title` }, title);
  const smallPrint = element('p', { class: 'small-print' }, from);
  return element(
    'section',
    { class: `panel ${name}`, 'aria-labelledby': `${name}-title` },
    element('header', {}, heading, smallPrint),
    ...children,
  );
}
