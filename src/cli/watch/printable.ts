/** No name of a version or an instance that Tally gives itself is longer. */
const LONGEST = 80;

/**
 * What a service says of itself, as it may stand on a terminal: printable ASCII alone, so that no escape code, line feed
 * or character of another width is in it, and not too much of it.
 */
export function printable(text: string): string {
  return text.slice(0, LONGEST).replace(/[^ -~]/g, '?');
}
