/** A version that answers: how it is written, and the colour that stands for it everywhere on the page. */
export interface Version {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
}

/** Colours that also who sees no red or no green can tell apart; the style sheet has them. */
const COLOURS = 6;

const LONGEST_COMMIT = 10;

/** What is known of who runs which version. Colours are given in the order in which versions are first seen. */
export class Versions {
  readonly #byInstance = new Map<string, Version>();
  readonly #byName = new Map<string, Version>();

  learn(instance: string, version: string, commit: string): Version {
    const name = commit === 'unknown' ? version : `${version} · ${commit.slice(0, LONGEST_COMMIT)}`;
    const known = this.#byName.get(name) ?? {
      name,
      colour: `--version-${(this.#byName.size % COLOURS) + 1}`,
    };
    this.#byName.set(name, known);
    this.#byInstance.set(instance, known);
    return known;
  }

  of(instance: string): Version | undefined {
    return this.#byInstance.get(instance);
  }
}
