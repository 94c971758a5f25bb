/** How a piece of text stands out; `version-N` is the colour of the Nth version. */
type Style = 'good' | 'bad' | 'faint' | 'strong' | `version-${number}`;

export type Span = string | readonly [style: Style, text: string];

/** One line of a screen. */
export type Line = readonly Span[];

/*
 * The sixteen colours that every terminal has and every theme makes readable. Blue and yellow come first: everybody can
 * tell them apart. Red is for what is bad alone.
 */
const SGR = { good: '32', bad: '1;97;41', faint: '2', strong: '1' } as const;
const VERSION_SGR = ['97;44', '30;43', '30;46', '97;45', '30;42', '30;47'] as const;

const textOf = (span: Span) => (typeof span === 'string' ? span : span[1]);

function widthOf(line: Line): number {
  return line.reduce((width, span) => width + textOf(span).length, 0);
}

/** As the terminal takes it, cut to this width. */
export function paint(line: Line, width: number, colours: boolean): string {
  let room = width;
  let painted = '';
  for (const span of line) {
    const text = textOf(span).slice(0, room);
    room -= text.length;
    if (text === '') continue;
    painted += typeof span === 'string' || !colours ? text : `\u001B[${sgrOf(span[0])}m${text}\u001B[0m`;
  }
  return painted;
}

/** Puts pieces side by side, two spaces between them, on as many lines as it takes. */
export function flow(pieces: readonly Line[], width: number): Line[] {
  const lines: Span[][] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last && widthOf(last) + 2 + widthOf(piece) <= width) last.push('  ', ...piece);
    else lines.push([...piece]);
  }
  return lines;
}

function sgrOf(style: Style): string {
  if (style in SGR) return SGR[style as keyof typeof SGR];
  const index = Number(style.slice('version-'.length));
  return VERSION_SGR[index % VERSION_SGR.length] ?? SGR.strong;
}
