/** A text under the name of an instance; who wrote it is not known. */
export interface KeptHeartbeat {
  readonly instance: string;
  readonly heartbeat: string;
}

/** Where heartbeats are left for whoever shows them. Its calls reject when the store does not answer. */
export interface HeartbeatStore extends AsyncDisposable {
  /** True while there is no connection. */
  readonly away: boolean;
  write(instance: string, heartbeat: string): Promise<void>;
  /** So many at the most, and none that is too long to be one. */
  read(limit: number): Promise<readonly KeptHeartbeat[]>;
  /** Deletes those that are older. */
  forget(ageSeconds: number): Promise<void>;
  /** True when the store itself has answered with this error. */
  isRefusal(error: unknown): boolean;
  /** Gives up its connection, and with it what is on the way. */
  reset(): void;
}
