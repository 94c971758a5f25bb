import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

/** What a figure is held against: at least or at most `value`, in the figure's unit. */
export interface Goal {
  readonly bound: '≥' | '≤';
  readonly value: number;
}

/** One measured number. */
export interface Figure {
  readonly figure: string;
  readonly value: number;
  readonly unit: '×' | 'bytes' | 'MB' | 's' | '/s';
  /** Absent where the number is there for orientation only. */
  readonly goal?: Goal;
  /** The numbers behind it, from the same run. */
  readonly detail: string;
}

/** A figure that this machine could not measure, and why. */
interface Unmeasured {
  readonly figure: string;
  readonly missing: string;
}

export type Row = Figure | Unmeasured;

export const ratio = (figure: string, value: number, detail: string, goal?: Goal): Figure => ({
  figure,
  value,
  unit: '×',
  detail,
  ...(goal && { goal }),
});

export const atLeast = (value: number): Goal => ({ bound: '≥', value });
export const atMost = (value: number): Goal => ({ bound: '≤', value });

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** Median of the ratios of pairs that were measured one right after the other. */
export function medianRatio(over: readonly number[], under: readonly number[]): number {
  return median(over.map((value, index) => value / (under[index] ?? NaN)));
}

export const perSecond = (rate: number): string => `${Math.round(rate).toLocaleString('en')}/s`;

export const list = (values: readonly number[], digits = 2): string =>
  values.map((value) => value.toFixed(digits)).join(' ');

function met({ value, goal }: Figure): boolean | undefined {
  if (!goal) return undefined;
  return goal.bound === '≥' ? value >= goal.value : value <= goal.value;
}

const amount = (value: number, unit: Figure['unit']): string => {
  if (unit === '×') return value.toFixed(value < 10 ? 2 : 1);
  if (unit === '/s') return perSecond(value);
  return `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`;
};

function cells(row: Row): string[] {
  if ('missing' in row) return [row.figure, '—', '', 'not measured', row.missing];
  const { figure, value, unit, goal, detail } = row;
  const verdict = { true: 'met', false: 'NOT MET', undefined: '' }[String(met(row))] ?? '';
  const wanted = goal ? `${goal.bound} ${amount(goal.value, unit)}` : '';
  return [figure, amount(value, unit), wanted, verdict, detail];
}

/** The rows as a table for people. */
export function toTable(rows: readonly Row[]): string {
  const lines = [['figure', 'value', 'goal', '', 'measured in this run'], ...rows.map(cells)];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const rendered = lines.map((line) =>
    line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '),
  );
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, 0));
  return [rendered[0], rule, ...rendered.slice(1)].join('\n');
}

/** Writes `latest.json` into `folder` and resolves with its path. */
export function writeResults(folder: string, rows: readonly Row[], about: Record<string, unknown>): string {
  const machine = { node: process.version, cores: cpus().length, cpu: cpus()[0]?.model, load: loadavg() };
  const figures = rows.map((row) => ('missing' in row ? row : { ...row, met: met(row) }));
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/latest.json`;
  writeFileSync(path, `${JSON.stringify({ ...about, machine, figures }, undefined, 2)}\n`);
  return path;
}
