import type { LiveState } from '../shared/live.js';
import { audit } from './audit.js';
import { Colours } from './colours.js';
import { crash } from './crash.js';
import { element } from './element.js';
import { form } from './form.js';
import { instances } from './instances.js';
import { Outside } from './outside.js';
import { Plots } from './plots.js';
import { quarantine } from './quarantine.js';
import { Status } from './status.js';
import { LiveStream } from './stream.js';
import { totals } from './totals.js';
import { Versions } from './versions.js';

const DRAW_MS = 500;

const versions = new Versions();
const colours = new Colours(() => plots.redraw());
const status = new Status();
const plots = new Plots(colours);
const outside = new Outside(versions, colours);
const panels = { totals: totals(), instances: instances(versions), audit: audit() };
const refused = quarantine();
const chaos = crash();
chaos.hidden = true;

document.body.append(
  status.root,
  element(
    'main',
    {},
    panels.totals.root,
    outside.root,
    plots.root,
    element('div', { class: 'column left' }, panels.instances.root, refused.root),
    element('div', { class: 'column right' }, form(), panels.audit.root, chaos),
  ),
);

/** The clock of who tells, against ours. */
let aheadMs = 0;

function show(state: LiveState): void {
  aheadMs = state.at - Date.now();
  status.show(state);
  for (const panel of Object.values(panels)) panel.show(state);
}

const stream = new LiveStream({
  snapshot: (snapshot) => {
    chaos.hidden = !snapshot.crash;
    plots.add(snapshot.points);
    show(snapshot.state);
    refused.show(snapshot.quarantine);
  },
  state: show,
  point: (point) => plots.add([point]),
  quarantine: refused.show,
});

let ticks = 0;
setInterval(() => {
  status.judge(stream);
  outside.draw();
  if (ticks++ % 2 === 0 && !document.hidden) plots.draw(Date.now() + aheadMs);
}, DRAW_MS);
