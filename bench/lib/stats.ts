/** Order statistics of measurements. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Median, least and greatest, for people: "1.200 (0.981..1.310)". */
export function spread(values: readonly number[]): string {
  return `${short(median(values))} (${short(Math.min(...values))}..${short(Math.max(...values))})`;
}

/** 12 345, 12.3 or 1.234. */
function short(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en").replaceAll(",", " ");
  return value >= 10 ? value.toFixed(1) : value.toFixed(3);
}
