const COUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const ROUGH = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export const count = (value: number) => COUNT.format(value);

/** For an axis: 1.5K. */
export const compact = (value: number) => COMPACT.format(value);

/** A number of things with their name: 1 error, 2 errors. */
export const counted = (value: number, name: string) => `${count(value)} ${name}${value === 1 ? '' : 's'}`;

/** The time of day here, of Unix milliseconds. */
export const clock = (at: number) => CLOCK.format(at);

export const milliseconds = (value: number) =>
  value < 1_000 ? `${ROUGH.format(value)} ms` : seconds(value / 1_000);

export function seconds(value: number): string {
  if (value < 100) return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} s`;
  return value < 7_200 ? `${count(value / 60)} min` : `${count(value / 3_600)} h`;
}

export const ago = (ms: number) => (ms < 1_500 ? 'now' : `${seconds(Math.round(ms / 1_000))} ago`);
