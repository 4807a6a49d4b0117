export type { Session, SessionDefaults, SessionKey } from './session.js';
export { SessionBook } from './session-book.js';
export { SessionsModule } from './sessions.module.js';
