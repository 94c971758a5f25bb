/** What is asked. */
export type Call = 'POST /sum' | 'GET /version';

/** On which connection: a new one for each ask, or one that is kept alive. */
export type Connection = 'new' | 'kept';

/** Each call on each kind of connection. */
export interface Lane {
  readonly call: Call;
  readonly connection: Connection;
}

export const LANES: readonly Lane[] = (['POST /sum', 'GET /version'] as const).flatMap((call) =>
  (['new', 'kept'] as const).map((connection) => ({ call, connection })),
);

export function describeLane({ call, connection }: Lane): string {
  return `${call} on ${connection === 'new' ? 'new connections' : 'the kept connection'}`;
}
