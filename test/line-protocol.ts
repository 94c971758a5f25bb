/** A point as a line of InfluxDB line protocol says it; field values as written, but strings without their quotes. */
export interface Point {
  readonly measurement: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
  readonly timestamp: string;
}

/**
 * Reads one line, by the reference and not by what `toLine` does.
 * https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
 *
 * @throws {Error} when it is not exactly one well-formed line.
 */
export function parseLine(line: string): Point {
  if (/[\r\n]/.test(line)) throw new Error('more than one line');
  const reader = new Reader(line);
  const measurement = reader.until(', ');
  const tags: Record<string, string> = {};
  while (reader.takeIf(',')) {
    const key = reader.until('=');
    reader.expect('=');
    if (key in tags) throw new Error(`tag ${key} twice`);
    tags[key] = reader.until(',= ');
  }
  reader.expect(' ');
  const fields: Record<string, string> = {};
  do {
    const key = reader.until('=');
    reader.expect('=');
    if (key in fields) throw new Error(`field ${key} twice`);
    fields[key] = reader.takeIf('"') ? reader.quoted() : reader.bare();
  } while (reader.takeIf(','));
  reader.expect(' ');
  return { measurement, tags, fields, timestamp: reader.digits() };
}

class Reader {
  #rest: string;

  constructor(line: string) {
    this.#rest = line;
  }

  /** A name or tag value; `,`, `=` and spaces in it are escaped by a backslash, which elsewhere means itself. */
  until(ends: string): string {
    let text = '';
    while (this.#rest !== '' && !ends.includes(this.#next)) {
      if (this.#next === '\\' && ',= '.includes(this.#rest.charAt(1) || '\\')) this.#take(1);
      text += this.#take(1);
    }
    if (text === '') throw new Error('an empty name or value');
    return text;
  }

  /** The rest of a string field, whose opening quote is read already. */
  quoted(): string {
    let text = '';
    while (this.#next !== '"') {
      if (this.#rest === '') throw new Error('a string without an end');
      if (this.#next === '\\' && '"\\'.includes(this.#rest.charAt(1) || ' ')) this.#take(1);
      text += this.#take(1);
    }
    this.#take(1);
    return text;
  }

  bare(): string {
    const [value = ''] = /^[^", =]+/.exec(this.#rest) ?? [];
    if (value === '') throw new Error('an empty value');
    return this.#take(value.length);
  }

  digits(): string {
    if (!/^\d+$/.test(this.#rest)) throw new Error(`not a timestamp: ${this.#rest}`);
    return this.#take(this.#rest.length);
  }

  takeIf(character: string): boolean {
    const found = this.#next === character;
    if (found) this.#take(1);
    return found;
  }

  expect(character: string): void {
    if (!this.takeIf(character)) throw new Error(`expected "${character}" before "${this.#rest}"`);
  }

  get #next(): string {
    return this.#rest.charAt(0);
  }

  #take(length: number): string {
    const taken = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return taken;
  }
}
