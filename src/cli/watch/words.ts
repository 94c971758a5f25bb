import { MINUTE, SECOND } from '../../shared/duration.js';

/** With a digit behind the point where there is one. */
export const thousands = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 1 });

export const unknownOr = (value: number | null) => (value === null ? 'unknown' : thousands(value));

/** A short time, to the digits that matter. */
export function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < SECOND ? `${ms.toFixed(0)} ms` : seconds(ms);
}

export function seconds(ms: number): string {
  return `${(ms / SECOND).toFixed(1)} s`;
}

/** How long something runs already. */
export function elapsed(ms: number): string {
  const minutes = Math.floor(ms / MINUTE);
  return `${minutes}:${String(Math.floor((ms % MINUTE) / SECOND)).padStart(2, '0')}`;
}

/** The time of day here, of a Unix time in milliseconds. */
export function clockTime(at: number): string {
  return new Date(at).toTimeString().slice(0, 'hh:mm:ss'.length);
}

export const isoTime = (at: number | null) => (at === null ? null : new Date(at).toISOString());
