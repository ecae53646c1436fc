/**
 * INCRBYFLOAT's arithmetic: x87 long doubles (64-bit mantissa, round half to even), printed as
 * "%.17Lf" without trailing zeros, so that results equal redis's to the last digit.
 *
 * A finite number is mantissa * 2^exponent with |mantissa| < 2^64; sums and prints are exact
 * rationals that are rounded once. Owns: parse, add, print. Does not own: replies.
 */

interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const MANTISSA_BITS = 64;
/** Largest binary exponent of a long double's value: values from 2^16384 on are infinite. */
const VALUE_BITS_MAX = 16_384;
/** Exponent of the smallest subnormal. */
const EXPONENT_MIN = -16_445;
const FRACTION_DIGITS = 17;
/** redis's MAX_LONG_DOUBLE_CHARS: longer texts are no floats. */
export const FLOAT_CHARS_MAX: number = 5 * 1024;
/** Decimal exponents beyond this are zero or infinite whatever the digits. */
const DECIMAL_EXPONENT_MAX = 20_000;

/** The sum as redis prints it. */
export function addLongDoubles(a: string, b: string): string {
  const left = parse(a);
  const right = parse(b);
  if (left === null || right === null) return "not a float";
  if (left === "infinite" || right === "infinite") return "infinite";
  const sum = add(left, right);
  return sum === "infinite" ? "infinite" : print(sum);
}

/** null: not a float as strtold and redis's checks take it. */
function parse(text: string): LongDouble | "infinite" | null {
  if (text.length > FLOAT_CHARS_MAX) return null;
  if (/^[+-]?inf(inity)?$/i.test(text)) return "infinite";
  const hex = /^([+-]?)0x([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i.exec(text);
  if (hex !== null) return parseHex(hex);
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text);
  const whole = match?.[2] ?? "";
  const fraction = match?.[3] ?? "";
  if (match === null || whole.length + fraction.length === 0) return null;
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  const power = Number(match[4] ?? 0) - fraction.length;
  // strtold reports ERANGE for both, which redis takes as "not a valid float".
  if (Math.abs(power) > DECIMAL_EXPONENT_MAX) return null;
  const signed = match[1] === "-" ? -digits : digits;
  const value =
    power >= 0 ? round(signed * 10n ** BigInt(power), 1n) : round(signed, 10n ** BigInt(-power));
  return value === "infinite" || value.mantissa === 0n ? null : value;
}

/** strtold takes C's hexadecimal floats, too: sign, whole, fraction, binary exponent. */
function parseHex(match: RegExpExecArray): LongDouble | "infinite" | null {
  const whole = match[2] ?? "";
  const fraction = match[3] ?? "";
  if (whole.length + fraction.length === 0) return null;
  const digits = BigInt(`0x${whole}${fraction}`);
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  const power = Number(match[4] ?? 0) - 4 * fraction.length;
  if (Math.abs(power) > DECIMAL_EXPONENT_MAX) return null;
  const signed = match[1] === "-" ? -digits : digits;
  const value =
    power >= 0 ? round(signed << BigInt(power), 1n) : round(signed, 1n << BigInt(-power));
  return value === "infinite" || value.mantissa === 0n ? null : value;
}

/** numerator / denominator to the nearest long double. */
function round(numerator: bigint, denominator: bigint): LongDouble | "infinite" {
  const negative = numerator < 0n;
  const n = negative ? -numerator : numerator;
  if (n === 0n) return { mantissa: 0n, exponent: 0 };
  let exponent = Math.max(bits(n) - bits(denominator) - MANTISSA_BITS, EXPONENT_MIN);
  let mantissa = divide(n, denominator, exponent);
  // The estimate may be one short; half-even may carry into a 65th bit.
  if (bits(mantissa) > MANTISSA_BITS) mantissa = divide(n, denominator, ++exponent);
  if (bits(mantissa) + exponent > VALUE_BITS_MAX) return "infinite";
  return { mantissa: negative ? -mantissa : mantissa, exponent };
}

/** n / (d * 2^exponent), half to even. */
function divide(n: bigint, d: bigint, exponent: number): bigint {
  const top = exponent < 0 ? n << BigInt(-exponent) : n;
  const bottom = exponent > 0 ? d << BigInt(exponent) : d;
  const quotient = top / bottom;
  const twice = (top - quotient * bottom) * 2n;
  const up = twice > bottom || (twice === bottom && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

function bits(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

function add(a: LongDouble, b: LongDouble): LongDouble | "infinite" {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return exponent >= 0 ? round(sum << BigInt(exponent), 1n) : round(sum, 1n << BigInt(-exponent));
}

/** "%.17Lf" without trailing zeros, and without "-0". */
function print(value: LongDouble): string {
  const negative = value.mantissa < 0n;
  const mantissa = negative ? -value.mantissa : value.mantissa;
  const scaled = divide(mantissa * 10n ** BigInt(FRACTION_DIGITS), 1n, -value.exponent);
  const digits = scaled.toString().padStart(FRACTION_DIGITS + 1, "0");
  const whole = digits.slice(0, -FRACTION_DIGITS);
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  const text = fraction === "" ? whole : `${whole}.${fraction}`;
  return negative && text !== "0" ? `-${text}` : text;
}
