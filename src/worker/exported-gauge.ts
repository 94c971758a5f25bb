import { Gauge, type GaugeConfiguration, type LabelValues, type Registry } from 'prom-client';

/** A gauge that is in the registry only while it has a value. */
export class ExportedGauge<Label extends string = never> {
  readonly #registry: Registry;
  readonly #name: string;
  readonly #gauge: Gauge<Label>;

  constructor(registry: Registry, configuration: Omit<GaugeConfiguration<Label>, 'registers'>) {
    this.#registry = registry;
    this.#name = configuration.name;
    this.#gauge = new Gauge({ ...configuration, registers: [] });
  }

  set(value: number, labels: LabelValues<Label> = {}): void {
    this.#gauge.set(labels, value);
    this.#registry.registerMetric(this.#gauge);
  }

  hide(): void {
    this.#registry.removeSingleMetric(this.#name);
  }
}
