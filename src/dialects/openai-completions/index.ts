export { completionsSurface } from './surface.js';
export { openaiCompletions } from './upstream.js';
export { completionsVerbatim } from './verbatim.js';
