/** The style sheet's colours, for what is drawn on a canvas. */
export class Colours {
  readonly #known = new Map<string, string>();

  /** @param onChange told when the page turns light or dark. */
  constructor(onChange: () => void) {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#known.clear();
      onChange();
    });
  }

  /** The value of a custom property. */
  of(name: string): string {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    this.#known.set(name, value);
    return value;
  }
}
