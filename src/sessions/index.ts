export type { Session, SessionDefaults } from './session.js';
export { SessionBook } from './session-book.js';
export { SessionsModule } from './sessions.module.js';
