import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { TemporaryFolder } from '../../src/drill/stores/temporary-folder.js';
import { prometheusConfig, read, rules } from './files.js';
import { promtool, RULES } from './prometheus.js';

interface Cases {
  readonly tests: readonly {
    readonly name: string;
    readonly alert_rule_test: readonly {
      readonly alertname: string;
      readonly exp_alerts: readonly object[];
    }[];
  }[];
}

const CASES = fileURLToPath(new URL('alerts.yml', import.meta.url));

const alerts = rules.flatMap(({ alert }) => alert ?? []);

describe('the rules', () => {
  test('are ones that Prometheus takes', async () => {
    expect(await promtool(['check', 'rules', RULES])).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  test('fire when they shall, and do not when they shall not', async () => {
    expect(await promtool(['test', 'rules', CASES])).toContain('SUCCESS');
  });

  test.each(alerts)('have a case in which %s fires, and one in which it does not', (alert) => {
    const cases = (parse(read('test/observe/alerts.yml')) as Cases).tests
      .flatMap((one) => one.alert_rule_test)
      .filter(({ alertname }) => alertname === alert);
    expect(cases.some(({ exp_alerts: expected }) => expected.length > 0)).toBe(true);
    expect(cases.some(({ exp_alerts: expected }) => expected.length === 0)).toBe(true);
  });

  test('warn of what matters: missing, late, growing, a store away, quarantine', () => {
    expect(alerts).toEqual(
      expect.arrayContaining([
        'TallyOperationsMissing',
        'TallyLoggingLate',
        'TallyBacklogGrowing',
        'TallyStoreAway',
        'TallyQuarantineNotEmpty',
      ]),
    );
  });

  test('read the series of Tally alone, wherever they read any', () => {
    for (const { expr } of rules) {
      const selectors = expr.match(/\btally_\w+(\{[^}]*\})?/g) ?? [];
      expect(selectors.length, expr).toBeGreaterThan(0);
      for (const selector of selectors) expect(selector).toContain('{job=~"tally-(api|worker)"');
    }
  });
});

describe('the Prometheus of docker compose', () => {
  test('has a configuration that promtool takes, with the rules', async () => {
    await using folder = await TemporaryFolder.create('observe', process.env);
    // As the containers see them: all in one folder.
    await mkdir(join(folder.path, 'prometheus'));
    const config = join(folder.path, 'prometheus/prometheus.yml');
    await writeFile(config, read('observe/prometheus.yml'));
    await copyFile(RULES, join(folder.path, 'prometheus/rules.yaml'));
    const said = await promtool(['check', 'config', config]);
    expect(said).toContain('1 rule files found');
    expect(said).toContain(`${rules.length} rules found`);
  });

  test('reads the admin port of every container of API and worker, as jobs that the rules know', () => {
    const { scrape_configs: jobs } = prometheusConfig;
    expect(jobs.map(({ job_name: name }) => name)).toEqual(['tally-api', 'tally-worker']);
    expect(jobs.map(({ dns_sd_configs: found }) => found)).toMatchObject([
      [{ names: ['api'], type: 'A', port: 4001 }],
      [{ names: ['worker'], type: 'A', port: 4002 }],
    ]);
  });
});
