import { z } from 'zod';
import type { Fault } from './problem.js';

/** The body of `POST /sum`. Numbers are IEEE 754 doubles, as JSON readers have them. */
const SumRequest = z.strictObject({
  numbers: z.array(z.number({ error: 'must be a finite number' }), { error: 'must be an array of numbers' }),
});

export type ParsedSum =
  | { readonly ok: true; readonly numbers: readonly number[] }
  | { readonly ok: false; readonly faults: Fault[] };

/** Reads the text of a request body, and names every fault it has. */
export function parseSum(body: string): ParsedSum {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    return { ok: false, faults: [{ pointer: '', detail: `is not JSON: ${(error as SyntaxError).message}` }] };
  }
  const read = SumRequest.safeParse(json);
  if (read.success) return { ok: true, numbers: read.data.numbers };
  return { ok: false, faults: read.error.issues.flatMap(toFaults) };
}

function toFaults(issue: z.core.$ZodIssue): Fault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: pointer([...issue.path, key]),
      detail: 'is not a known field',
    }));
  }
  if (issue.path.length === 0) return [{ pointer: '', detail: 'must be an object {"numbers": […]}' }];
  return [{ pointer: pointer(issue.path), detail: issue.message }];
}

const pointer = (path: readonly PropertyKey[]) =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** 2^-64: exact to multiply with, and far enough below the largest double that no partial sum overflows. */
const SCALE = 2 ** -64;

/**
 * Compensated sum (Neumaier's variant of Kahan's): ten times 0.1 is 1. Where only a partial sum is beyond the largest
 * double, it sums scaled numbers instead; `±Infinity` means that the sum itself is.
 *
 * Source: A. Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, 1974.
 */
export function sum(numbers: readonly number[]): number {
  const result = compensatedSum(numbers);
  return Number.isFinite(result) ? result : compensatedSum(numbers.map((number) => number * SCALE)) / SCALE;
}

function compensatedSum(numbers: readonly number[]): number {
  let total = 0;
  let compensation = 0;
  for (const number of numbers) {
    const next = total + number;
    compensation += Math.abs(total) >= Math.abs(number) ? total - next + number : number - next + total;
    total = next;
  }
  return total + compensation;
}
