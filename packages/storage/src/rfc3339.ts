/**
 * A time as Litestream writes it into metadata: RFC 3339 in UTC, without zeros at the end of the fraction.
 * @throws RangeError for an invalid date
 */
export function rfc3339(time: Date): string {
  return time.toISOString().replace(/\.?0+Z$/, 'Z')
}
