/** The smallest positive double is 2^-1074; every finite double is a whole number of these. */
const UNIT_EXPONENT = 1074;

/** A double as a whole number of 2^-1074, exactly; an infinite one as `±2^1024`, which would be the next. */
export function toUnits(number: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0 ? fraction : (fraction | (1n << 52n)) << BigInt(exponent - 1);
  return bits >> 63n === 1n ? -magnitude : magnitude;
}

/** What a sum is, exactly, and what all its numbers are together without their signs; both in 2^-1074. */
export function exactSum(numbers: readonly number[]) {
  const units = numbers.map(toUnits);
  return {
    exact: units.reduce((total, unit) => total + unit, 0n),
    magnitude: units.reduce((total, unit) => total + magnitudeOf(unit), 0n),
  };
}

export const magnitudeOf = (units: bigint) => (units < 0n ? -units : units);

/** 2^1024, where a double is infinite. */
export const INFINITE_UNITS = 1n << BigInt(1024 + UNIT_EXPONENT);
