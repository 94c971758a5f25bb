import { pino, type Logger, type SerializedError } from 'pino';

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
    serializers: {
      err: (error: unknown) => (error instanceof Error ? harmless(pino.stdSerializers.err(error)) : error),
    },
    ...(mixin && { mixin }),
  });
}

/** What is said of an error. Libraries add more: ioredis the whole command, which may be the one with the password. */
const SAID = [
  'type',
  'message',
  'stack',
  'code',
  'status',
  'severity',
  'syscall',
  'address',
  'port',
] as const;

function harmless(error: SerializedError): Record<string, unknown> {
  const said = SAID.flatMap((name) => (error[name] === undefined ? [] : [[name, error[name]] as const]));
  const { aggregateErrors: all } = error as { readonly aggregateErrors?: readonly SerializedError[] };
  return { ...Object.fromEntries(said), ...(all && { aggregateErrors: all.map(harmless) }) };
}
