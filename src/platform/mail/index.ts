export { Mailer, type SmtpServer } from './mailer.js';
