type Attributes = Readonly<Record<string, string>>;

/** An element with these attributes and children. Text is text: nothing of it is ever read as markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Changes a text only when it is another: what stays is neither drawn nor read out again. */
export function write(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}

/** Sets `data-<name>`, which the style sheet knows. */
export function mark(place: HTMLElement, name: string, value: string): void {
  if (place.dataset[name] !== value) place.dataset[name] = value;
}
