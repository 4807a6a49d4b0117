import { table } from './table.js';

/** How files begin, in base64. */
const SIGNATURES: [string, string][] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['_9j_', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['JVBERi', 'application/pdf'],
];

const ALIASES = table<string>({ 'image/jpg': 'image/jpeg' });

/** What base64 data is, by how it begins, else by what it claims to be: clients mislabel images, and providers refuse them then. */
export function mediaTypeOf(data: string, claimed: string): string {
  const known = SIGNATURES.find(([start]) => data.startsWith(start));
  if (known) return known[1];
  // RIFF, four bytes of length, then the format.
  if (data.startsWith('UklGR') && Buffer.from(data.slice(0, 16), 'base64').toString('latin1', 8, 12) === 'WEBP') return 'image/webp';
  const type = claimed.toLowerCase();
  return ALIASES[type] ?? type;
}
