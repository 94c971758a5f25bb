import { expect, test } from 'vitest';
import { commandsIn } from './notes.js';
import { imageValues } from './options.js';

const valuesOf = (image: string) => imageValues(image).filter((text) => text !== '--set-string');

test.each([
  ['tally:0.1.0', 'tally', '0.1.0', ''],
  ['registry.example:5000/team/tally:main-3', 'registry.example:5000/team/tally', 'main-3', ''],
  ['registry.example:5000/tally', 'registry.example:5000/tally', '', ''],
  ['tally@sha256:0a1b', 'tally', '', 'sha256:0a1b'],
])('the image %s becomes values of the chart', (image, repository, tag, digest) => {
  expect(valuesOf(image)).toEqual([
    `image.repository=${repository}`,
    `image.tag=${tag}`,
    `image.digest=${digest}`,
  ]);
});

test('the commands of the notes are what is indented, in order and as they stand', () => {
  const notes = 'Send:\n\n  kubectl a | b &\n  curl "x  y"\n\nAll in one:\n\n  helm test\n';
  expect(commandsIn(notes)).toEqual(['kubectl a | b &', 'curl "x  y"', 'helm test']);
});
