const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export const SECOND = UNITS.s;
export const MINUTE = UNITS.m;
export const DAY = UNITS.d;

/** What {@link parseDuration} takes. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** `"500ms"`, `"30s"`, `"5m"`, `"1h"`, `"7d"` as milliseconds; `undefined` when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Number(amount) * UNITS[unit as keyof typeof UNITS];
}
