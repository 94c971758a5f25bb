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

  /** The timestamps of the first and the last line: what stands after the last space of a line. */
  get range(): { readonly firstAt: string; readonly lastAt: string } {
    const { text } = this;
    const firstEnd = text.indexOf('\n');
    const first = firstEnd === -1 ? text : text.slice(0, firstEnd);
    return {
      firstAt: first.slice(first.lastIndexOf(' ') + 1),
      lastAt: text.slice(text.lastIndexOf(' ') + 1),
    };
  }

  has(line: string): boolean {
    return this.text.split('\n').includes(line);
  }
}
