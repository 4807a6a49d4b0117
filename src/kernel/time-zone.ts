const formats = new Map<string, Intl.DateTimeFormat>();

/** True for an IANA time zone this runtime knows. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}

/** How far the clocks of a zone are ahead of UTC at an instant, in seconds. @throws RangeError when there is no such zone. */
function offsetAt(zone: string, seconds: number): number {
  if (zone === 'UTC') return 0;
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
    formats.set(zone, format);
  }
  const name = format.formatToParts(seconds * 1000).find(({ type }) => type === 'timeZoneName')!.value;
  const [, sign, hours, minutes = '0'] = /GMT([+-])(\d\d):?(\d\d)?/.exec(name) ?? ['', '+', '0', '0'];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60);
}

/** The clock of a zone at an instant, as if it were UTC. Unix seconds. */
export const localOf = (zone: string, seconds: number): number => seconds + offsetAt(zone, seconds);

/** When the clock of a zone shows a time, the first of two; where it is skipped, when the clocks change. Unix seconds. */
export function instantOf(zone: string, local: number): number {
  const offsets = [local - 86_400, local + 86_400].map((near) => offsetAt(zone, near));
  const [earliest, latest] = [Math.max(...offsets), Math.min(...offsets)].map((offset) => local - offset) as [number, number];
  return localOf(zone, earliest) === local ? earliest : latest;
}
