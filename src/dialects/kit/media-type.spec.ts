import { mediaTypeOf } from './media-type.js';

const base64 = (...bytes: (number | string)[]) =>
  Buffer.concat(bytes.map((byte) => (typeof byte === 'string' ? Buffer.from(byte) : Buffer.from([byte])))).toString('base64');

test.each([
  [base64(0x89, 'PNG', 0x0d, 0x0a, 0x1a, 0x0a), 'image/png'],
  [base64(0xff, 0xd8, 0xff, 0xe0), 'image/jpeg'],
  [base64('GIF89a'), 'image/gif'],
  [base64('%PDF-1.7'), 'application/pdf'],
  [base64('RIFF', 1, 2, 3, 4, 'WEBPVP8 '), 'image/webp'],
])('%s is %s, whatever it claims to be', (data, type) => {
  expect(mediaTypeOf(data, 'image/jpeg')).toBe(type);
});

test('what is not known is what it claims to be', () => {
  expect(mediaTypeOf('AAAA', 'image/HEIC')).toBe('image/heic');
  expect(mediaTypeOf(base64('RIFF', 1, 2, 3, 4, 'WAVEfmt '), 'audio/wav')).toBe('audio/wav');
  expect(mediaTypeOf('AAAA', 'image/jpg')).toBe('image/jpeg');
});
