import { z } from 'zod';
import { readOperationId } from '../../shared/operation.js';
import type { Reply } from '../../drill/clients/http-connection.js';
import type { Call } from './lanes.js';
import { printable } from './printable.js';

/** What an instance says of itself. */
export interface Told {
  readonly instance: string;
  readonly version: string;
  readonly state: string;
}

/** Who answered: an answer of `POST /sum` has the instance in its id, one of `GET /version` tells more. */
export type Read =
  | { readonly kind: 'answered'; readonly instance: string; readonly told?: Told }
  | { readonly kind: 'failed'; readonly reason: string };

/** What is asked for, and what it must come to. */
export const SUM_BODY = '{"numbers":[1,2,3,4]}';
const SUM_RESULT = 10;

/** Enough to tell commits apart. */
const COMMIT_LENGTH = 12;

const SumAnswer = z.object({ result: z.number(), id: z.string() });

const VersionAnswer = z.object({
  version: z.string(),
  commit: z.string(),
  instance: z.string(),
  state: z.string(),
});

/** What came of one ask. */
export function readReply(call: Call, reply: Reply): Read {
  if (reply.kind === 'timedOut') return failed('no answer in time');
  if (reply.kind === 'broken') return failed(printable(reply.reason));
  if (reply.status !== 200) return failed(`status ${reply.status}`);
  return call === 'POST /sum' ? readSum(reply.body) : readVersion(reply.body);
}

/** A version as it is shown: two builds of one version are told apart by their commits. */
export function versionName({ version, commit }: { version: string; commit: string }): string {
  const suffix = commit === 'unknown' || commit === '' ? '' : ` (${commit.slice(0, COMMIT_LENGTH)})`;
  return printable(`${version}${suffix}`);
}

function readSum(body: string): Read {
  const { data } = SumAnswer.safeParse(parse(body));
  const operation = data && readOperationId(data.id);
  if (!data || !operation) return failed('not an answer of Tally');
  if (data.result !== SUM_RESULT) return failed(`a wrong result, ${data.result}`);
  return { kind: 'answered', instance: printable(operation.instance) };
}

function readVersion(body: string): Read {
  const { data } = VersionAnswer.safeParse(parse(body));
  if (!data) return failed('not an answer of Tally');
  const instance = printable(data.instance);
  const told = { instance, version: versionName(data), state: printable(data.state) };
  return { kind: 'answered', instance, told };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const failed = (reason: string): Read => ({ kind: 'failed', reason });
