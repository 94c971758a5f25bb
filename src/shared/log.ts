import { pino, type Logger } from 'pino';

export type { Logger };

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** JSON lines on standard output, written synchronously: the last line before an exit is never lost. */
export function openLog(
  level: (typeof LOG_LEVELS)[number],
  instance: string,
  /** What each line says besides, of the moment in which it is written. */
  mixin?: () => object,
): Logger {
  return pino({
    level,
    base: { instance },
    timestamp: pino.stdTimeFunctions.isoTime,
    ...(mixin && { mixin }),
  });
}
