import type { Told } from './answers.js';

/** More instances than any deploy has at a time; the oldest are forgotten. */
const MOST_INSTANCES = 1_000;

/** Versions that are told apart; a service that makes up more is not Tally. */
const MOST_VERSIONS = 100;

/** A version that was seen, in the order of their appearance. */
export interface SeenVersion {
  readonly name: string;
  readonly index: number;
  answered: number;
  /** When it last answered. */
  lastMs: number;
}

/** An instance that answered; its version is missing until somebody has told it. */
export interface Answerer {
  readonly instance: string;
  version: SeenVersion | undefined;
  /** Answers that no version has been counted for. */
  unplaced: number;
}

/**
 * Who answered how often. An answer of `POST /sum` names its instance alone; its version is that which the instance says
 * of itself in `GET /version`, before or after.
 */
export class Answerers {
  readonly #instances = new Map<string, Answerer>();
  readonly #versions = new Map<string, SeenVersion>();
  #forgotten = 0;

  /** In the order of their appearance. */
  get versions(): readonly SeenVersion[] {
    return [...this.#versions.values()];
  }

  /** Answers of instances that never told their version. */
  get unplaced(): number {
    return [...this.#instances.values()].reduce((sum, { unplaced }) => sum + unplaced, this.#forgotten);
  }

  answered(instance: string, ms: number): Answerer {
    const answerer = this.#find(instance);
    if (answerer.version) place(answerer.version, 1, ms);
    else answerer.unplaced++;
    return answerer;
  }

  /** An instance has told its version. */
  told({ instance, version }: Pick<Told, 'instance' | 'version'>, ms: number): void {
    const answerer = this.#find(instance);
    if (answerer.version) return;
    answerer.version = this.#version(version, ms);
    place(answerer.version, answerer.unplaced, ms);
    answerer.unplaced = 0;
  }

  #find(instance: string): Answerer {
    const known = this.#instances.get(instance);
    if (known) return known;
    const [oldest] = this.#instances.values();
    if (oldest && this.#instances.size >= MOST_INSTANCES) {
      this.#forgotten += oldest.unplaced;
      this.#instances.delete(oldest.instance);
    }
    const made: Answerer = { instance, version: undefined, unplaced: 0 };
    this.#instances.set(instance, made);
    return made;
  }

  #version(name: string, ms: number): SeenVersion {
    const key = this.#versions.has(name) || this.#versions.size < MOST_VERSIONS ? name : 'others';
    const known = this.#versions.get(key);
    if (known) return known;
    const made = { name: key, index: this.#versions.size, answered: 0, lastMs: ms };
    this.#versions.set(key, made);
    return made;
  }
}

function place(version: SeenVersion, answers: number, ms: number): void {
  version.answered += answers;
  if (answers > 0) version.lastMs = ms;
}
