export { mediaIn } from './parts.js';
export { type MediaSize, mediaSize } from './size.js';
