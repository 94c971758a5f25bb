import { SumRequest } from '../src/api/schemas.js';
import { parseSum } from '../src/api/sum.js';
import { list, median, ratio, type Figure } from './report.js';

/** As many faults as fit into the largest body. */
const BODY = `{"numbers":[${Array(349_000).fill('[]').join()}]}`;

/**
 * How long everybody waits while the worst body is refused, over what the schema that describes it would take: a store's
 * deadline goes on meanwhile.
 */
export async function refusal(quick: boolean): Promise<Figure[]> {
  const rounds = Array.from({ length: quick ? 3 : 5 });
  const byHand = rounds.map(() => millisecondsOf(() => parseSum(BODY)));
  const bySchema = rounds.map(() => millisecondsOf(() => SumRequest.safeParse(JSON.parse(BODY))));
  const detail = `${list(byHand, 0)} ms ÷ ${list(bySchema, 0)} ms`;
  return [ratio('refusing a megabyte of faults ÷ by schema', median(byHand) / median(bySchema), detail)];
}

function millisecondsOf(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}
