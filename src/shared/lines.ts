/**
 * Lines of line protocol as one text, joined by line feeds (no line holds one), as queue, ledger and InfluxDB carry
 * them. From acceptance to InfluxDB nobody needs them one by one, unless one is refused, and 500 strings cost more to
 * make, keep and join again than everything else that happens to a chunk.
 */
export class Lines {
  readonly text: string;
  /** How many. */
  readonly length: number;

  private constructor(text: string, length: number) {
    this.text = text;
    this.length = length;
  }

  static of(lines: readonly string[]): Lines {
    return new Lines(lines.join('\n'), lines.length);
  }

  /** The lines in a text, or `undefined` when one of them is empty. */
  static read(text: string): Lines | undefined {
    let length = 0;
    for (let start = 0; ; length++) {
      const end = text.indexOf('\n', start);
      if (end === start || start === text.length) return undefined;
      if (end === -1) return new Lines(text, length + 1);
      start = end + 1;
    }
  }

  static concat(parts: readonly Lines[]): Lines {
    const [first] = parts;
    if (first && parts.length === 1) return first;
    return new Lines(
      parts.map(({ text }) => text).join('\n'),
      parts.reduce((sum, { length }) => sum + length, 0),
    );
  }

  /** The first `count` lines and the others; both must be at least one. */
  split(count: number): [Lines, Lines] {
    let end = -1;
    for (let line = 0; line < count; line++) end = this.text.indexOf('\n', end + 1);
    return [
      new Lines(this.text.slice(0, end), count),
      new Lines(this.text.slice(end + 1), this.length - count),
    ];
  }

  /** The timestamps of the first and the last line that has one; `undefined` when none has. */
  get range(): { readonly firstAt: string; readonly lastAt: string } | undefined {
    const { text } = this;
    const [first, last] = [text.split('\n', 1)[0] ?? '', text.slice(text.lastIndexOf('\n') + 1)];
    const [firstAt, lastAt] = [timestampOf(first), timestampOf(last)];
    if (firstAt !== undefined && lastAt !== undefined) return { firstAt, lastAt };
    const all = text.split('\n').flatMap((line) => timestampOf(line) ?? []);
    return all.length > 0 ? { firstAt: all[0] ?? '', lastAt: all.at(-1) ?? '' } : undefined;
  }

  has(line: string): boolean {
    return this.text.split('\n').includes(line);
  }
}

/** What stands after the last space of a line, if it is a time in nanoseconds that 64 bits hold. */
function timestampOf(line: string): string | undefined {
  const at = line.slice(line.lastIndexOf(' ') + 1);
  return /^\d{1,18}$|^[1-8]\d{18}$/.test(at) ? at : undefined;
}
