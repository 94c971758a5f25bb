import { parseDuration } from '../shared/duration.js';
import { UsageError, type Values } from './command.js';

/** A duration option in milliseconds, or `undefined` when it was not given. */
export function durationOption(name: string, value: Values[string]): number | undefined {
  if (value === undefined) return undefined;
  const ms = parseDuration(String(value));
  if (ms === undefined)
    throw new UsageError(
      `--${name}: "${String(value)}" is not a duration; expected one such as 30s, 1h or 7d`,
    );
  return ms;
}

/** A web address. */
export function addressOption(name: string, value: Values[string]): URL {
  const text = String(value);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(`--${name}: "${text}" is not an address such as https://tally.example`);
}
