import type { Versions } from './versions.js';

const PAGE = Math.random().toString(36).slice(2);

let requests = 0;

/** Tells what this page asks for from all else, in logs, traces and InfluxDB: a drill leaves it out of its count. */
export const newRequestId = () => `live-page-${PAGE}-${++requests}`;

/** The service answered, and not as it should. */
export class WrongAnswer extends Error {}

/** Asks the service for a sum that is known here; resolves with the instance that answered. */
export async function askSum(signal: AbortSignal): Promise<string> {
  const number = Math.floor(Math.random() * 1_000);
  const headers = { 'X-Request-Id': newRequestId() };
  const { result, id } = await postSum([number, 1], { signal, headers });
  if (result !== number + 1) throw new WrongAnswer(`200, and ${number} + 1 came to ${result}`);
  return instanceOf(id);
}

/** Asks who answers; resolves with that instance. */
export async function askVersion(signal: AbortSignal, versions: Versions): Promise<string> {
  const answer = await fetch('version', { signal, cache: 'no-store' });
  if (answer.status !== 200) throw new WrongAnswer(await refusalOf(answer));
  const { instance, version, commit } = (await answer.json()) as Record<
    'instance' | 'version' | 'commit',
    string
  >;
  versions.learn(instance, version, commit);
  return instance;
}

interface Sum {
  readonly result: number;
  readonly id: string;
  /** As the API took it. */
  readonly requestId: string;
}

/** @throws {WrongAnswer} with what the API says, when it is no 200. */
export async function postSum(numbers: readonly number[], init: RequestInit = {}): Promise<Sum> {
  const headers = { 'Content-Type': 'application/json', ...(init.headers as Record<string, string>) };
  const body = JSON.stringify({ numbers });
  const answer = await fetch('sum', { ...init, method: 'POST', headers, body, cache: 'no-store' });
  if (answer.status !== 200) throw new WrongAnswer(await refusalOf(answer));
  const { result, id } = (await answer.json()) as Pick<Sum, 'result' | 'id'>;
  return { result, id, requestId: answer.headers.get('X-Request-Id') ?? '' };
}

/** An operation's id is `<at>-<instance>`. */
export const instanceOf = (id: string) => id.slice(id.indexOf('-') + 1);

interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly detail: string }[];
}

/** What is wrong, as `application/problem+json` has it, or the status alone. */
async function refusalOf(answer: Response): Promise<string> {
  const problem = (await answer.json().catch(() => ({}))) as Problem;
  const details = [problem.detail, ...(problem.errors ?? []).map(({ detail }) => detail)].filter(Boolean);
  return [`${answer.status} ${problem.title ?? answer.statusText}`.trim(), details.join('; ')]
    .filter(Boolean)
    .join(': ');
}
