import { describe, expect, test } from 'vitest';
import { dashboard } from './files.js';

const { panels, templating } = dashboard;

describe('the dashboard', () => {
  test('has what Grafana needs to load it', () => {
    expect(dashboard).toMatchObject({ title: 'Tally', uid: 'tally' });
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(36);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, type, targets } of panels) {
      expect(['stat', 'timeseries'], title).toContain(type);
      expect(targets.length, title).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
    }
  });

  test('asks the datasource that is chosen, and no other', () => {
    expect(templating.list).toContainEqual(
      expect.objectContaining({ name: 'datasource', type: 'datasource', query: 'prometheus' }),
    );
    const chosen = { type: 'prometheus', uid: '${datasource}' };
    for (const { title, datasource, targets } of panels)
      for (const one of [{ datasource }, ...targets]) expect(one.datasource, title).toEqual(chosen);
  });

  test('shows series without a namespace too, which are those of docker compose', () => {
    expect(templating.list).toContainEqual(expect.objectContaining({ name: 'namespace', allValue: '.*' }));
    for (const { title, targets } of panels)
      for (const { expr } of targets)
        for (const [selector] of expr.matchAll(/\btally_\w+(:\w+)?\{[^}]*\}/g))
          expect(selector, title).toContain('namespace=~"$namespace"');
  });

  test('shows missing operations first, green at 0 and red above', () => {
    const [first] = panels;
    expect(first).toMatchObject({ type: 'stat', title: 'Missing operations', gridPos: { x: 0, y: 0 } });
    expect(first?.fieldConfig.defaults['thresholds']).toEqual({
      mode: 'absolute',
      steps: [
        { color: 'green', value: null },
        { color: 'red', value: 1 },
      ],
    });
  });

  test('has no panel over another, and none beyond the edge', () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++)
        for (let row = y; row < y + h; row++) {
          expect(taken, title).not.toContain(`${column} ${row}`);
          taken.add(`${column} ${row}`);
        }
    }
  });
});
