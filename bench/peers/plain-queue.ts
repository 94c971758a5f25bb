/** The queue of the plain way: one job per operation. */
export const PLAIN_QUEUE = 'plain';

export interface PlainJob {
  readonly line: string;
}

export const plainJob = (id: string, line: string) => ({
  name: 'operation',
  data: { line } satisfies PlainJob,
  opts: { jobId: id, attempts: 1_000, removeOnComplete: true },
});
